"""Running pytest in the sandbox and reading its report log into a TestReport."""

import asyncio
import json
import math
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from activities.artifact_store import put_bytes
from activities.collected_tests import digest_of, seen_by
from activities.coverage_report import read_coverage, without
from activities.heartbeat import heartbeating
from activities.log_artifact import put_log
from activities.process import Completed
from activities.result_file import read_result
from activities.sandbox import Limits, Sandbox, inside, run_sandboxed, with_scratch
from regreen.contracts.testing import Frame, TestFailure, TestOutcome, TestReport
from regreen.pipeline_file import TestSection
from regreen.printable import printable

COVERAGE_FILE = "coverage.json"
"""What the artifact with coverage.py's JSON report is called."""

_MAXIMUM_FAILURES = 50
# With all that is told of a test, fifty of them have to fit into one payload of 2 MiB.
_LONGEST_NAME = 2000
_LONGEST_EXCEPTION = 200
_MOST_FRAMES = 50
_MOST_OUTPUT = 4000
_COVERAGE_SETTINGS = """\
[run]
branch = true
parallel = true
sigterm = true
{patch}
source = {source}
omit =
  */tests/*
  */test_*
  */conftest.py
  conftest.py
  setup.py

[report]
include_namespace_packages = true
ignore_errors = true
"""
# With this file, of coverage.py 7.13 and later, it can measure the processes that tests start.
_STARTS_IN_EACH_PROCESS = "a1_coverage.pth"
# coverage.py's words when there is no code beside the tests.
_NO_CODE = "No data to report."
# The repository's own options come first, so that these win: all tests run and say all they know.
_OPTIONS = (
    *("-q", "-rN", "--color=no", "--tb=auto", "--maxfail=0", "--continue-on-collection-errors"),
    *("-p", "no:cacheprovider", "-p", "no:randomly"),
)
# By the plugin's module. With its own tracer pytest-cov stops ours.
_PLUGIN_OPTIONS = {"pytest_cov": "--no-cov", "xdist": "-n0"}


async def run_pytest(
    copy: Path,
    environment: Path,
    results: Path,
    section: TestSection,
    *,
    subject: str,
    node_ids: Sequence[str] = (),
    coverage: bool = False,
    omit: Sequence[str] = (),
    keep: bool = False,
    original: TestReport | None = None,
    scratch: Path | None = None,
) -> TestReport:
    """Run a stage's tests, or only `node_ids`, in a checked-out workspace.

    `results` is an empty private folder. With `coverage` it is measured, and its percentage told
    without the files that match `omit`. With `keep` the raw files go to the artifact store. With
    the `original` report of the unpatched source, the digest covers the tests it could see. A
    `scratch` folder becomes `/tmp` and home, and keeps what tests leave there for the next run.
    """
    sandbox = test_sandbox(copy, environment, results)
    if scratch is not None:
        sandbox = with_scratch(sandbox, scratch)
    python = f"{inside(sandbox, environment)}/bin/python"
    log, data = results / "report.jsonl", results / "coverage.data"
    settings = results / "coverage.ini"
    installed = _installed(environment)
    settings.write_text(
        _COVERAGE_SETTINGS.format(
            patch="patch = subprocess" if _STARTS_IN_EACH_PROCESS in installed else "",
            source=inside(sandbox, copy),
        )
    )
    covered = ["-m", "coverage", "run", f"--rcfile={inside(sandbox, settings)}"]
    covered.append(f"--data-file={inside(sandbox, data)}")
    done = await run_sandboxed(
        sandbox,
        [
            *(python, *(covered if coverage else ()), "-m", "pytest"),
            *(*_OPTIONS, *_plugin_options(installed)),
            f"--report-log={inside(sandbox, log)}",
            *pytest_arguments(section, node_ids),
        ],
        output=results / "output.txt",
        timeout=section.timeout,
        subject=subject,
    )
    # A long log takes seconds to read, in which heartbeats must go on.
    reading = asyncio.to_thread(read_report, log, done, section.timeout, original)
    report = await heartbeating(reading, subject)
    measured = None
    if coverage and any(results.glob(f"{data.name}.*")):
        measured = await _coverage_report(sandbox, python, results, settings, data)
        report = report.model_copy(update={"coverage_percent": _percent(measured, omit)})
    if not keep:
        return report
    return report.model_copy(
        update={
            "log": await put_log(log, "application/jsonl") if _regular(log) else None,
            "output": await put_log(results / "output.txt"),
            "coverage": await put_bytes(COVERAGE_FILE, measured, "application/json")
            if measured
            else None,
        }
    )


def test_sandbox(copy: Path, environment: Path | None, results: Path) -> Sandbox:
    """The sandbox in which tests run: no network, the repository importable."""
    sandbox = Sandbox(workspace=copy, environment=environment, results=results)
    roots = [copy / "src", copy] if (copy / "src").is_dir() else [copy]
    path = ":".join(inside(sandbox, root) for root in roots)
    return Sandbox(
        workspace=copy,
        environment=environment,
        results=results,
        variables={"PYTHONPATH": path, "PYTHONHASHSEED": "0"},
        limits=Limits(memory_bytes=8 << 30),
    )


def _installed(environment: Path) -> set[str]:
    return {path.name for path in environment.glob("lib/python*/site-packages/*")}


def _plugin_options(installed: Set[str]) -> list[str]:
    """What makes installed plugins of pytest leave coverage to us."""
    return [option for module, option in _PLUGIN_OPTIONS.items() if module in installed]


def pytest_arguments(section: TestSection, node_ids: Sequence[str]) -> list[str]:
    """What selects the tests: the given node ids, or the stage's arguments and paths."""
    if node_ids:
        return [*section.arguments, *node_ids]
    return [*section.arguments, *section.paths]


def read_report(
    log: Path, done: Completed, timeout: float, original: TestReport | None = None
) -> TestReport:
    """Read pytest's report log (one JSON object a line, valid up to the point of a crash).

    For `original` see `run_pytest`.
    """
    outcomes: dict[str, str] = {}
    failures: dict[str, TestFailure] = {}
    running: dict[str, str] = {}
    finished = False
    for record in _records(log):
        kind, node_id = record.get("$report_type"), str(record.get("nodeid", ""))
        if kind == "SessionFinish":
            finished = True
        elif kind == "CollectReport" and record.get("outcome") == "failed":
            failures[node_id] = _failure(record, node_id or ".", "collect")
        elif kind == "TestReport":
            when, outcome = str(record["when"]), str(record["outcome"])
            running[node_id] = when
            if when == "teardown":
                running.pop(node_id)
            if outcome == "failed":
                failures.setdefault(node_id, _failure(record, node_id, when))
                outcomes[node_id] = "failed"
            elif outcomes.get(node_id) != "failed" and (when == "call" or outcome == "skipped"):
                outcomes[node_id] = outcome
            else:
                outcomes.setdefault(node_id, "")
    if not finished:
        for node_id in list(running)[-1:]:
            ended = f"after {timeout:g} s" if done.timed_out else f"with exit code {done.code}"
            failures[node_id] = TestFailure(
                node_id=node_id,
                phase="call",
                exception="Timeout" if done.timed_out else "Crash",
                message=f"the test process ended {ended} while this test ran",
                output=done.tail(),
            )
            outcomes[node_id] = "failed"
    counts = list(outcomes.values())
    collected = seen_by(original, list(outcomes)) if original else list(outcomes)
    outcome, detail = _outcome(done, finished, failures, counts, timeout)
    told = [each for each in failures.values() if len(each.node_id) <= _LONGEST_NAME]
    if failures and not told:
        detail = f"{len(failures)} failing, whose names are longer than {_LONGEST_NAME} letters"
    return TestReport(
        outcome=outcome,
        total=max(len(counts), len(failures)),
        passed=counts.count("passed"),
        failed=len(failures),
        skipped=counts.count("skipped"),
        failures=tuple(told[:_MAXIMUM_FAILURES]),
        collected_digest=digest_of(collected),
        finished=finished,
        seconds=round(done.seconds, 3),
        detail=detail,
    )


def _outcome(
    done: Completed,
    finished: bool,
    failures: dict[str, TestFailure],
    counts: list[str],
    timeout: float,
) -> tuple[TestOutcome, str]:
    if failures:
        return "failed", ""
    if done.timed_out:
        return "broken", f"pytest did not end within {timeout:g} s"
    if done.code == 5 or (done.code == 0 and not counts):
        return "no_tests", "no tests were collected"
    if done.code == 0 and finished:
        if "" in counts:
            return "broken", "pytest was ended while a test ran: the tests after it did not run"
        if "passed" not in counts:
            return "no_tests", f"all {len(counts)} tests were skipped"
        return "passed", ""
    lines = done.tail().strip().splitlines() or ["no output"]
    errors = [line for line in lines if "rror" in line]
    return "broken", f"pytest ended with exit code {done.code}: {(errors or lines)[-1][:300]}"


def _failure(record: dict[str, Any], node_id: str, phase: str) -> TestFailure:
    details = record.get("longrepr")
    message, frames = "", []
    if isinstance(details, dict):
        message = str((details.get("reprcrash") or {}).get("message", ""))
        parts = [details.get("reprtraceback")]
        parts += [link[0] for link in details.get("chain") or [] if link]
        for traceback in parts:
            for entry in (traceback or {}).get("reprentries", []):
                place = (entry.get("data") or {}).get("reprfileloc") or {}
                frame = _frame(str(place.get("path", "")), place.get("lineno"))
                if frame is not None and frame not in frames:
                    frames.append(frame)
    elif details is not None:
        message = str(details)
    first = message.strip().splitlines()[0] if message.strip() else ""
    name = first.partition(":")[0].rpartition(".")[2]
    if not isinstance(details, dict):
        # Text without structure ends with the exception, as `E   NameError: ...`.
        marked = [line[1:].strip() for line in message.splitlines() if line.startswith("E ")]
        name = marked[-1].partition(":")[0].rpartition(".")[2] if marked else name
        message = "\n".join(marked) or message
    if not name.isidentifier():
        # pytest leaves the name out before an assertion's own words, unless a quote is in them.
        name = "AssertionError" if first.startswith("assert ") else ""
    sections = [f"{title}\n{text}" for title, text in record.get("sections") or []]
    return TestFailure(
        node_id=node_id,
        phase=phase,  # type: ignore[arg-type]
        exception=name[:_LONGEST_EXCEPTION],
        message=printable(message)[:2000],
        frames=tuple(frames[-_MOST_FRAMES:]),
        output=printable("\n".join(sections))[-2000:],
    )


def _frame(path: str, line: object) -> Frame | None:
    path = path.removeprefix("/workspace/")
    if not path or path.startswith(("/", "<", "..")) or not isinstance(line, int):
        return None
    return Frame(path=path, line=line)


def _records(log: Path) -> Iterator[dict[str, Any]]:
    """One record at a time, without what a test printed but for its end."""
    if not _regular(log):
        return
    with log.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line.decode("utf-8", "replace"))
            except json.JSONDecodeError:
                continue
            if not isinstance(record, dict):
                continue
            if isinstance(record.get("sections"), list):
                record["sections"] = [
                    [str(part)[-_MOST_OUTPUT:] for part in section]
                    for section in record["sections"]
                ]
            yield _encodable(record)


def _encodable(record: dict[str, Any]) -> dict[str, Any]:
    # Half of a surrogate pair, as in the name of a file that is no UTF-8, cannot leave the process.
    text = json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")
    cleaned: dict[str, Any] = json.loads(text)
    return cleaned


def _regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


async def _coverage_report(
    sandbox: Sandbox, python: str, results: Path, settings: Path, data: Path
) -> bytes | None:
    """coverage.py's JSON report, or what it said in place of one; None where there is no code.

    What it said is kept, so that nobody takes a measurement that went wrong for none at all.
    """
    written = results / COVERAGE_FILE
    files = [f"--rcfile={inside(sandbox, settings)}", f"--data-file={inside(sandbox, data)}"]
    for words in (["combine", "--quiet"], ["json", "--quiet", f"-o{inside(sandbox, written)}"]):
        done = await run_sandboxed(
            sandbox,
            [python, "-m", "coverage", *words, *files],
            output=results / "coverage.txt",
            timeout=60,
            subject="coverage",
        )
        if done.code != 0:
            said = done.tail().strip()
            return None if said == _NO_CODE else said.encode() or b"no report"
    return read_result(written) or b"no report"


def _percent(report: bytes | None, omit: Sequence[str]) -> float | None:
    """What a report says, cut to one decimal: 79.96 % must not look like 80 %."""
    try:
        return math.floor(without(read_coverage(report or b""), omit).percent * 10) / 10
    except ValidationError:
        return None
