"""The verdict of a load test, from what the service, k6 and its summary say.

k6 alone is too kind: it ends with 0 when the target is dead and when every iteration raised.
Exit codes as k6 documents them: 99 thresholds crossed, 107 an exception in the script.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from activities.k6_summary import LoadSummary, Threshold
from activities.load_service import LoadOutcome
from regreen.counted import counted
from regreen.pipeline_file import LoadSection

_THRESHOLDS_CROSSED = 99

_MESSAGE = r'msg="((?:[^"\\]|\\.)*)"'
_ERROR = re.compile(r"level=error " + _MESSAGE)
_RAISED = re.compile(r"level=error " + _MESSAGE + r"[^\n]* source=stacktrace")
_UNANSWERED = re.compile(r'level=warning msg="Request Failed" error="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class LoadVerdict:
    """What a load test says."""

    problem: str
    """Why its figures do not count, or what is worse than a crossed threshold, in one line."""
    crossed: tuple[Threshold, ...]
    figures: str
    """`p(95) 41 ms, 0.00 % failed, 2 of 2 thresholds kept`; empty without requests."""


def judge(
    section: LoadSection,
    outcome: LoadOutcome,
    summary: LoadSummary | None,
    *,
    output: str,
    service_log: str,
) -> LoadVerdict:
    """What the load test says.

    `output` is what k6 printed, `service_log` the end of what the service printed.
    """
    problem = _service_problem(section, outcome, service_log) or _k6_problem(
        section, outcome, output
    )
    if summary is None:
        return LoadVerdict(problem or "no readable summary", (), "")
    crossed = tuple(threshold for threshold in summary.thresholds() if not threshold.kept)
    if not problem:
        problem = _target_problem(section, summary, output)
    if not problem and outcome.k6_code == _THRESHOLDS_CROSSED and not crossed:
        problem = "thresholds crossed"
    if not problem and not crossed:
        problem = _late_problem(outcome, summary, output, service_log)
    return LoadVerdict(problem, crossed, _figures(summary, crossed, output))


def _figures(summary: LoadSummary, crossed: Sequence[Threshold], output: str) -> str:
    if not summary.requests:
        return ""
    thresholds = len(summary.thresholds())
    kept = f"{thresholds - len(crossed)} of {thresholds} thresholds kept"
    raised = len(_RAISED.findall(output))
    errors = f", {counted(raised, 'script error')}" if raised else ""
    return f"{summary.figures()}, {kept if thresholds else 'no thresholds'}{errors}"


def _service_problem(section: LoadSection, outcome: LoadOutcome, log: str) -> str:
    if section.service is None or outcome.service == "ready":
        return ""
    if outcome.service == "not_found":
        return f"service not started: `{section.service.command[0]}` not found"
    if outcome.service == "ended":
        return f"service ended with code {outcome.service_code} before it was ready{_last(log)}"
    return f"service did not become ready within {section.service.timeout:g} s{_last(log)}"


def _k6_problem(section: LoadSection, outcome: LoadOutcome, output: str) -> str:
    if outcome.k6_timed_out:
        return f"stopped, since it did not end within {section.timeout:g} s"
    if outcome.k6_code not in (0, _THRESHOLDS_CROSSED):
        errors = _ERROR.findall(output)
        lines = output.strip().splitlines() or ["no output"]
        return f"exit code {outcome.k6_code}: {_readable(errors[-1] if errors else lines[-1])}"
    return ""


def _target_problem(section: LoadSection, summary: LoadSummary, output: str) -> str:
    if not summary.requests:
        errors = _ERROR.findall(output)
        return "0 requests" + (f": {_readable(errors[0])}" if errors else "")
    if summary.failed_requests < summary.requests:
        return ""
    unanswered = _UNANSWERED.search(output)
    why = f": {_readable(unanswered[1])}" if unanswered else ""
    hint = "" if section.service else " (the sandbox has no network, and no load.service is set)"
    return f"all {counted(summary.requests, 'request')} failed{why}{hint}"


def _late_problem(outcome: LoadOutcome, summary: LoadSummary, output: str, service_log: str) -> str:
    if outcome.service_code is not None:
        return f"service ended with code {outcome.service_code} during the test{_last(service_log)}"
    raised = _RAISED.findall(output)
    if raised and len(raised) >= summary.iterations:
        return f"every iteration raised an error: {_readable(raised[0])}"
    return ""


def _last(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()][-3:]
    return f": {' | '.join(lines)[-300:]}" if lines else ", and printed nothing"


def _readable(message: str) -> str:
    text = message.replace('\\"', '"').replace("\\n", " ").replace("\\t", " ")
    text = re.sub(r"file://\S*?/workspace/", "", text).removeprefix("GoError: ")
    return " ".join(text.split())[:300]
