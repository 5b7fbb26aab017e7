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
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ValidationError
from temporalio import activity

from activities.artifact_store import put_bytes
from activities.counted import counted
from activities.git import git
from activities.process import Completed
from activities.result_file import read_result
from activities.sandbox import Mount, Sandbox, inside, require_isolation, run_sandboxed
from activities.workspace import checked_out, private_folder
from regreen.contracts.run import StageRequest, StageVerdict
from regreen.pipeline_file import SecuritySection
from regreen.tools.locate import find

_SUFFIXES = (".py", ".pyw")
_TEST_FOLDERS = frozenset({"test", "tests"})
_FOREIGN_FOLDERS = frozenset({".tox", ".venv", "node_modules", "site-packages", "venv"})
# Far below the kernel's limit for a command line, whatever the length of the names.
_FILES_PER_RUN = 1000

# Hard-coded passwords: bandit quotes them in its message.
_QUOTING = frozenset({"B105", "B106", "B107"})
_QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)

# A severity that is not in this table, such as UNDEFINED, counts as the level that blocks.
_LEVELS = {"LOW": 1, "MEDIUM": 2, "HIGH": 3}


class _Report(BaseModel):
    errors: list[dict[str, Any]]
    results: list[dict[str, Any]]
    metrics: dict[str, dict[str, Any]]


class _Unusable(Exception):
    """bandit did not do its work; the message is one line."""


@activity.defn
async def scan_python(request: StageRequest) -> StageVerdict:
    """Examine the Python sources: `security.paths`, or all but the tests.

    A finding at `security.severity` or above fails, and so does a file that does not parse.
    """
    section = request.pipeline.security
    if section is None:
        return StageVerdict(state="skipped", summary="no security gate configured")
    require_isolation(request.pipeline.sandbox == "required")
    if find("bandit") is None:
        return StageVerdict(
            state="skipped",
            summary="skipped: bandit not found, `regreen tools install`",
            missing_tool="bandit",
        )
    async with checked_out(request.workspace) as copy:
        tracked = (await git(["ls-files", "-z"], cwd=copy)).decode("utf-8", "surrogateescape")
        present = [path for path in tracked.split("\0") if path and _is_regular(copy / path)]
        try:
            sources = _sources(present, section.paths)
            if section.paths is None and not sources:
                return StageVerdict(state="skipped", summary="no Python sources to examine")
            with private_folder() as folder:
                report = await _examine(copy, sources, folder, section.timeout)
        except _Unusable as error:
            return StageVerdict(state="failed", summary=f"bandit: {error}")
    redacted = json.dumps(report.model_dump(), indent=1).encode()
    artifact = await put_bytes("bandit.json", redacted, "application/json")
    passed, summary = _judge(report, sources, section)
    return StageVerdict(
        state="passed" if passed else "failed", summary=f"bandit: {summary}", artifacts=(artifact,)
    )


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _sources(present: Sequence[str], paths: Sequence[str] | None) -> list[str]:
    python = [path for path in present if path.endswith(_SUFFIXES)]
    if paths is None:
        return [path for path in python if not _is_test(path) and not _is_foreign(path)]
    chosen: dict[str, None] = {}
    for configured in paths:
        wanted = posixpath.normpath(configured)
        below = [path for path in present if wanted == "." or _is_below(path, wanted)]
        if not below:
            raise _Unusable(f"security.paths: {configured} not found at this commit")
        found = [p for p in below if p == wanted or (p in python and not _is_foreign(p))]
        chosen |= dict.fromkeys(found)
    if not chosen:
        raise _Unusable(f"0 files examined: no Python files in {', '.join(paths)}")
    return list(chosen)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _is_test(path: str) -> bool:
    *folders, name = PurePosixPath(path).parts
    return (
        not _TEST_FOLDERS.isdisjoint(folders)
        or name == "conftest.py"
        or name.startswith("test_")
        or name.endswith("_test.py")
    )


def _is_foreign(path: str) -> bool:
    return not _FOREIGN_FOLDERS.isdisjoint(PurePosixPath(path).parts[:-1])


async def _examine(copy: Path, sources: Sequence[str], folder: Path, timeout: float) -> _Report:
    whole = _Report(errors=[], results=[], metrics={})
    for start in range(0, len(sources), _FILES_PER_RUN):
        part = await _run(copy, sources[start : start + _FILES_PER_RUN], folder, start, timeout)
        whole.errors.extend(part.errors)
        whole.results.extend(_redacted(result) for result in part.results)
        whole.metrics |= {
            posixpath.normpath(name): figures
            for name, figures in part.metrics.items()
            if name != "_totals"
        }
    return whole


async def _run(
    copy: Path, sources: Sequence[str], folder: Path, start: int, timeout: float
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
            *(f"./{path}" for path in sources),
        ],
        output=folder / "bandit.log",
        timeout=timeout,
        subject=f"bandit: {counted(len(sources), 'file')}",
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


def _judge(report: _Report, sources: Sequence[str], section: SecuritySection) -> tuple[bool, str]:
    unread = [posixpath.normpath(str(error.get("filename", ""))) for error in report.errors]
    examined = set(report.metrics) - set(unread)
    if unread:
        reason = report.errors[0].get("reason", "unknown")
        more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
        return False, f"{unread[0]}{more} not examined: {reason}"
    if not examined.issuperset(sources) or not examined:
        missing = sorted(set(sources) - examined)
        return False, f"{len(examined)} of {len(sources)} files examined, not {missing[0]}"
    lines = sum(int(figures.get("loc", 0)) for figures in report.metrics.values())
    ignored = sum(
        int(figures.get("nosec", 0)) + int(figures.get("skipped_tests", 0))
        for figures in report.metrics.values()
    )
    amount = f"{counted(len(examined), 'file')}, {counted(lines, 'line')} of code"
    if ignored:
        amount += f", {ignored} suppressed by `# nosec`"
    limit = _LEVELS[section.severity.upper()]
    blocking = [
        result
        for result in report.results
        if _LEVELS.get(str(result.get("issue_severity")), limit) >= limit
    ]
    if not blocking:
        below = f", {len(report.results)} below {section.severity}" if report.results else ""
        return True, f"no findings of {section.severity} or above in {amount}{below}"
    first = max(blocking, key=lambda result: _LEVELS.get(str(result.get("issue_severity")), limit))
    return False, (
        f"{counted(len(blocking), 'finding')} of {section.severity} or above in {amount}; "
        f"first {first.get('test_id')} at {first.get('filename')}:{first.get('line_number')}: "
        f"{first.get('issue_text')}"
    )[:500]
