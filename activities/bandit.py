"""The security stage's static analysis of Python: bandit.

bandit ends with 0 when a file does not parse, silently leaves out files whose path contains `.git`
or `.egg`, and prints the very secret it found. So it is given every file by name, what it examined
is counted against that list, and its report is stored without code and quoted text.
"""

import json
import posixpath
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from temporalio import activity

from activities.artifact_store import put_bytes
from activities.finding import Fingerprints, kept, one_line, worst_first
from activities.process import Completed
from activities.result_file import read_result
from activities.sandbox import Mount, Sandbox, inside, require_isolation, run_sandboxed
from activities.source_files import NoSuchSources, regular_files, sources
from activities.step_reuse import reusable
from activities.workspace import checked_out, private_folder
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan, Severity
from regreen.contracts.run import StageRequest
from regreen.counted import counted
from regreen.tools.locate import find

_SUFFIXES = (".py", ".pyw")
# Far below the kernel's limit for a command line, whatever the length of the names.
_FILES_PER_RUN = 1000

# Hard-coded passwords: bandit quotes them in its message.
_QUOTING = frozenset({"B105", "B106", "B107"})
_QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)

# A severity that is not in this table, such as UNDEFINED, is unknown.
_SEVERITIES: dict[str, Severity] = {"LOW": "low", "MEDIUM": "medium", "HIGH": "high"}


class _Report(BaseModel):
    errors: list[dict[str, Any]]
    results: list[dict[str, Any]]
    metrics: dict[str, dict[str, Any]]


class _Unusable(Exception):
    """bandit did not do its work; the message is one line."""


@activity.defn
@reusable(section="security", tools=("bandit",))
async def scan_python(request: StageRequest) -> Scan:
    """Examine the Python sources: `security.paths`, or all but the tests.

    A file that does not parse makes the scan worthless.
    """
    section = request.pipeline.security
    if section is None:
        return _scan(nothing_to_do="no security gate configured")
    require_isolation(request.pipeline.sandbox == "required")
    if find("bandit") is None:
        return _scan(missing_tool="bandit")
    async with checked_out(request.workspace) as copy:
        present = await regular_files(copy)
        try:
            chosen = sources(present, section.paths, lambda path: path.endswith(_SUFFIXES))
            if not chosen and section.paths is None:
                return _scan(nothing_to_do="no Python sources to examine")
            if not chosen:
                where = ", ".join(section.paths or ())
                return _scan(problem=f"0 files examined: no Python files in {where}")
            with private_folder() as folder:
                report = await _examine(copy, chosen, folder, section.timeout)
        except (NoSuchSources, _Unusable) as error:
            return _scan(problem=str(error))
    redacted = json.dumps(report.model_dump(), indent=1).encode()
    artifact = await put_bytes("bandit.json", redacted, "application/json")
    findings = worst_first(_findings(report), section.severity)
    return _scan(
        examined=len(_examined(report) & set(chosen)),
        figures=_figures(report),
        findings=tuple(findings[:FINDINGS_IN_SCAN]),
        found=len(findings),
        all_findings=await kept("bandit", findings),
        problem=_unread(report, chosen),
        artifacts=(artifact,),
    )


def _scan(**found: Any) -> Scan:
    tool = f"bandit {version('bandit')}"
    return Scan(gate="static-analysis", tool=tool, unit="file", **found)


async def _examine(copy: Path, files: Sequence[str], folder: Path, timeout: float) -> _Report:
    whole = _Report(errors=[], results=[], metrics={})
    for start in range(0, len(files), _FILES_PER_RUN):
        part = await _run(copy, files[start : start + _FILES_PER_RUN], folder, start, timeout)
        whole.errors.extend(part.errors)
        whole.results.extend(_redacted(result) for result in part.results)
        whole.metrics |= {
            posixpath.normpath(name): figures
            for name, figures in part.metrics.items()
            if name != "_totals"
        }
    return whole


async def _run(
    copy: Path, files: Sequence[str], folder: Path, start: int, timeout: float
) -> _Report:
    results = folder / f"results-{start}"
    results.mkdir()
    report = results / "bandit.json"
    sandbox = Sandbox(
        workspace=copy, results=results, mounts=(Mount(Path(sys.prefix), sys.prefix),)
    )
    done = await run_sandboxed(
        sandbox,
        [
            # Isolated, so that no module of the repository stands in for one of bandit's. The
            # exclusion can match no path and only replaces bandit's own.
            *(sys.executable, "-I", "-m", "bandit", "--quiet", "--exclude", "//"),
            *("--format", "json", "--output", inside(sandbox, report)),
            *(f"./{path}" for path in files),
        ],
        output=folder / "bandit.log",
        timeout=timeout,
        subject=f"bandit: {counted(len(files), 'file')}",
    )
    if done.timed_out:
        raise _Unusable(f"did not end within {timeout:g} s")
    if done.code not in (0, 1):
        raise _Unusable(f"ended with code {done.code}: {_last_line(done)}")
    data = read_result(report)
    try:
        return _Report.model_validate_json(data if data is not None else b"")
    except ValidationError as error:
        raise _Unusable(f"no readable report: {_last_line(done)}") from error


def _last_line(done: Completed) -> str:
    lines = done.tail().strip().splitlines() or ["no output"]
    return lines[-1][:300]


def _redacted(result: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in result.items() if key != "code"}
    if kept.get("test_id") in _QUOTING:
        kept["issue_text"] = _QUOTED.sub("[redacted]", str(kept.get("issue_text", "")))
    kept["filename"] = posixpath.normpath(str(kept.get("filename", "")))
    return kept


def _findings(report: _Report) -> list[Finding]:
    fingerprints = Fingerprints("bandit")
    return [
        Finding(
            tool="bandit",
            rule=str(result.get("test_id")),
            severity=_SEVERITIES.get(str(result.get("issue_severity")), "unknown"),
            path=str(result["filename"]),
            line=int(result.get("line_number") or 0),
            message=one_line(str(result.get("issue_text"))),
            fingerprint=fingerprints.of(str(result.get("test_id")), str(result["filename"])),
        )
        for result in report.results
    ]


def _examined(report: _Report) -> set[str]:
    unread = {posixpath.normpath(str(error.get("filename", ""))) for error in report.errors}
    return set(report.metrics) - unread


def _unread(report: _Report, files: Sequence[str]) -> str:
    """Why the scan does not count; empty when every file was examined."""
    unread = [posixpath.normpath(str(error.get("filename", ""))) for error in report.errors]
    if unread:
        reason = report.errors[0].get("reason", "unknown")
        more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
        return f"{unread[0]}{more} not examined: {reason}"
    missing = sorted(set(files) - _examined(report))
    if missing:
        examined = len(files) - len(missing)
        return f"{examined} of {len(files)} files examined, not {missing[0]}"
    return ""


def _figures(report: _Report) -> str:
    lines = sum(int(figures.get("loc", 0)) for figures in report.metrics.values())
    ignored = sum(
        int(figures.get("nosec", 0)) + int(figures.get("skipped_tests", 0))
        for figures in report.metrics.values()
    )
    suppressed = f", {ignored} suppressed by `# nosec`" if ignored else ""
    return f"{counted(lines, 'line')} of code{suppressed}"
