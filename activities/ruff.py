"""The lint stage's built-in linter: ruff, Regreen's own, with the repository's configuration.

Where a repository configures no linter at all, ruff's default rules say what they find, and only
what is wrong by any rules blocks.

ruff ends with 0 when its configuration leaves out every file, and with `fix` set in it mends what
it should report. So it is told not to, and the files that its log says it checked are counted.
"""

import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from temporalio import activity

from activities.artifact_store import put_bytes
from activities.finding import Fingerprints, kept, one_line, worst_first
from activities.process import Completed
from activities.result_file import read_result
from activities.sandbox import Mount, Sandbox, inside, require_isolation, run_sandboxed
from activities.source_files import FOREIGN_FOLDERS, is_foreign, regular_files
from activities.step_reuse import reusable
from activities.workspace import checked_out, private_folder
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan, Severity
from regreen.contracts.run import StageRequest
from regreen.counted import counted
from regreen.pipeline_file import LintSection
from regreen.printable import printable
from regreen.tools.locate import find, version

_CONFIGURATIONS = ("ruff.toml", ".ruff.toml")
_SOURCES = (".py", ".pyi", ".pyw")
_SYNTAX = "invalid-syntax"
# What GitHub's own workflow for Python packages lets flake8 stop at, `--select=E9,F63,F7,F82`
# (github.com/actions/starter-workflows): syntax errors, undefined names, what cannot be meant.
_MISTAKES = (_SYNTAX, "E9", "F63", "F7", "F82")
# No configuration counts, neither below the root nor on this machine. The newest Python, since in
# an older one names and syntax of the repository's may not be there yet.
_DEFAULT = (
    *("--isolated", "--target-version", "py315"),
    *("--config", f"include = {[f'*{suffix}' for suffix in _SOURCES]}"),
    *("--config", f"exclude = {sorted(FOREIGN_FOLDERS)}"),
    *("--config", "respect-gitignore = false"),
)
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
    """Check the repository with `ruff check`.

    By its own configuration, or by ruff's default rules where `lint.tools` names ruff. Where
    neither says anything of a linter, nor `lint.commands`, by the default rules as well: then
    findings are of severity medium, but for mistakes by any rules.
    """
    section = request.pipeline.lint
    if section is None:
        return _scan(nothing_to_do="linting is switched off")
    require_isolation(request.pipeline.sandbox == "required")
    async with checked_out(request.workspace) as copy:
        present = await regular_files(copy)
        wanted = None
        if section.tools is None and not _is_configured(copy):
            if section.commands:
                return _scan(nothing_to_do="ruff is not configured here, other linters are")
            wanted = {path for path in present if path.endswith(_SOURCES) and not is_foreign(path)}
            if not wanted:
                return _scan(nothing_to_do="no Python sources to lint")
        ruff = find("ruff")
        if ruff is None:
            return _scan(missing_tool="ruff")
        tool = f"ruff {version('ruff', ruff) or ''}".strip()
        with private_folder() as folder:
            try:
                report, told = await _examine(ruff, copy, folder, section, wanted is not None)
            except _Unusable as error:
                return _scan(tool=tool, problem=str(error))
    checked = {path for path in present if _as_told(path) in told}
    left_out = sorted((wanted or set()) - checked)
    if checked and left_out:
        amount = f"{len(left_out)} of {counted(len(checked) + len(left_out), 'file')}"
        problem = one_line(f"left out {amount}, first {printable(left_out[0])}")
        return _scan(tool=tool, problem=problem)
    findings = worst_first(report, section.severity)
    document = "[\n" + ",\n".join(finding.model_dump_json() for finding in findings) + "\n]\n"
    return _scan(
        tool=tool,
        examined=len(checked),
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
    ruff: Path, copy: Path, folder: Path, section: LintSection, by_default: bool
) -> tuple[list[Finding], set[str]]:
    """Findings, and what the log says was checked. Raises _Unusable."""
    results = folder / "results"
    results.mkdir()
    report = results / "ruff.json"
    sandbox = Sandbox(workspace=copy, results=results, mounts=(Mount(ruff, str(ruff)),))
    root = inside(sandbox, copy)
    done = await run_sandboxed(
        sandbox,
        [
            *(str(ruff), "check", "--verbose", "--no-cache", "--no-fix", "--no-fix-only"),
            *("--output-format", "json", "--output-file", inside(sandbox, report)),
            *(_DEFAULT if by_default else ()),
            ".",
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
    findings = [_finding(each, root, fingerprints) for each in found]
    told = _checked(done.output, root)
    return [_by_default(each) for each in findings] if by_default else findings, told


def _by_default(finding: Finding) -> Finding:
    """The finding in a repository that has not chosen its rules."""
    if finding.rule.startswith(_MISTAKES):
        return finding
    return finding.model_copy(update={"severity": "medium"})


def _finding(result: _Result, root: str, fingerprints: Fingerprints) -> Finding:
    rule, path = result.code or _SYNTAX, result.filename.removeprefix(f"{root}/")
    return Finding(
        tool="ruff",
        rule=rule,
        severity=_SEVERITIES.get(result.severity, "unknown"),
        path=path,
        line=max(0, result.location.row) if result.location else 0,
        message=one_line(_LITERAL.sub("[text]", printable(result.message))),
        fingerprint=fingerprints.of(rule, path),
    )


def _as_told(path: str) -> str:
    """A path as ruff's log has it: what is no UTF-8 in a name is replaced there."""
    return os.fsencode(path).decode("utf-8", "replace")


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
