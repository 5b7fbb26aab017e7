"""The lint stage's built-in linter: ruff, Regreen's own, with the repository's configuration.

ruff ends with 0 when its configuration leaves out every file, and with `fix` set in it mends what
it should report. So it is told not to, and the files that its log says it checked are counted.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from temporalio import activity

from activities.artifact_store import put_bytes
from activities.counted import counted
from activities.finding import Fingerprints, kept, one_line, worst_first
from activities.printable import printable
from activities.process import Completed
from activities.result_file import read_result
from activities.sandbox import Mount, Sandbox, inside, require_isolation, run_sandboxed
from activities.source_files import regular_files
from activities.step_reuse import reusable
from activities.workspace import checked_out, private_folder
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan, Severity
from regreen.contracts.run import StageRequest
from regreen.pipeline_file import LintSection
from regreen.tools.locate import find, version

_CONFIGURATIONS = ("ruff.toml", ".ruff.toml")
_SEVERITIES: dict[str, Severity] = {"error": "high", "warning": "medium", "info": "low"}
_CHECKED = re.compile(r"\[ruff::diagnostics\]\[DEBUG\] Checking: (.+)$")
# Some messages say how the code should read, with the text that stands in it.
_LITERAL = re.compile(r"(?<!\w)(['\"]).*?\1")
_CAUSE = re.compile(r"^\s*(?:Cause|error):\s*(.+)$")


class _Place(BaseModel):
    row: int


class _Result(BaseModel):
    code: str | None
    filename: str
    location: _Place | None
    message: str
    severity: str = ""


_REPORT = TypeAdapter(list[_Result])


class _Unusable(Exception):
    """ruff did not do its work; the message is one line."""


@activity.defn
@reusable(section="lint", tools=("ruff",))
async def lint_with_ruff(request: StageRequest) -> Scan:
    """Check the repository with `ruff check`, where it configures ruff or `lint.tools` names it."""
    section = request.pipeline.lint
    if section is None:
        return _scan(nothing_to_do="linting is switched off")
    require_isolation(request.pipeline.sandbox == "required")
    async with checked_out(request.workspace) as copy:
        present = await regular_files(copy)
        if section.tools is None and not _is_configured(copy):
            return _scan(nothing_to_do="ruff is not configured here")
        ruff = find("ruff")
        if ruff is None:
            return _scan(missing_tool="ruff")
        tool = f"ruff {version('ruff', ruff) or ''}".strip()
        with private_folder() as folder:
            try:
                report, checked = await _examine(ruff, copy, folder, section)
            except _Unusable as error:
                return _scan(tool=tool, problem=str(error))
    findings = worst_first(report, section.severity)
    document = "[\n" + ",\n".join(finding.model_dump_json() for finding in findings) + "\n]\n"
    return _scan(
        tool=tool,
        examined=len(checked & set(present)),
        findings=tuple(findings[:FINDINGS_IN_SCAN]),
        found=len(findings),
        all_findings=await kept("ruff", findings),
        artifacts=(await put_bytes("ruff.json", document.encode(), "application/json"),),
    )


def _scan(**found: Any) -> Scan:
    return Scan(**{"gate": "lint", "tool": "ruff", "unit": "file", **found})


def _is_configured(copy: Path) -> bool:
    """Whether ruff's configuration stands at the root; what cannot be read is for ruff to judge."""
    if any((copy / name).is_file() for name in _CONFIGURATIONS):
        return True
    try:
        document = tomllib.loads((copy / "pyproject.toml").read_text("utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        return False
    except (OSError, ValueError, RecursionError):
        return True
    tools = document.get("tool")
    return isinstance(tools, dict) and "ruff" in tools


async def _examine(
    ruff: Path, copy: Path, folder: Path, section: LintSection
) -> tuple[list[Finding], set[str]]:
    """Findings, and the files that were checked. Raises _Unusable."""
    results = folder / "results"
    results.mkdir()
    report = results / "ruff.json"
    sandbox = Sandbox(workspace=copy, results=results, mounts=(Mount(ruff, str(ruff)),))
    root = inside(sandbox, copy)
    done = await run_sandboxed(
        sandbox,
        [
            *(str(ruff), "check", "--verbose", "--no-cache", "--no-fix", "--no-fix-only"),
            *("--output-format", "json", "--output-file", inside(sandbox, report), "."),
        ],
        output=folder / "ruff.log",
        timeout=section.timeout,
        subject="ruff check",
    )
    if done.timed_out:
        raise _Unusable(f"did not end within {section.timeout:g} s")
    if done.code not in (0, 1):
        raise _Unusable(f"ended with code {done.code}: {_reason(done, root)}")
    data = read_result(report)
    try:
        found = _REPORT.validate_json(data if data is not None else b"")
    except ValidationError as error:
        raise _Unusable(f"no readable report: {_reason(done, root)}") from error
    if (done.code == 1) != bool(found):
        raise _Unusable(f"ended with code {done.code} and {counted(len(found), 'finding')}")
    fingerprints = Fingerprints("ruff")
    return [_finding(each, root, fingerprints) for each in found], _checked(done.output, root)


def _finding(result: _Result, root: str, fingerprints: Fingerprints) -> Finding:
    rule, path = result.code or "invalid-syntax", result.filename.removeprefix(f"{root}/")
    return Finding(
        tool="ruff",
        rule=rule,
        severity=_SEVERITIES.get(result.severity, "unknown"),
        path=path,
        line=max(0, result.location.row) if result.location else 0,
        message=one_line(_LITERAL.sub("[text]", printable(result.message))),
        fingerprint=fingerprints.of(rule, path),
    )


def _checked(log: Path, root: str) -> set[str]:
    """The source files that the log names; ruff looks into configuration files, too."""
    with log.open(encoding="utf-8", errors="surrogateescape") as lines:
        found = [match[1] for line in lines if (match := _CHECKED.search(line.rstrip("\n")))]
    return {path.removeprefix(f"{root}/") for path in found if not path.endswith(".toml")}


def _reason(done: Completed, root: str) -> str:
    """ruff's causes, from the outermost in; of a crash the last line."""
    lines = done.tail(4000).replace(f"{root}/", "").strip().splitlines()
    causes: Sequence[str] = [match[1] for line in lines if (match := _CAUSE.match(line))]
    return one_line(": ".join(causes) or (lines[-1] if lines else "no output"))[:300]
