"""The security stage's static analysis by rules: opengrep, with semgrep's rules.

Regreen's own rules are about JavaScript, TypeScript and PHP; a repository adds its own for any
language. opengrep ends with 0 when it finds something and when a file does not parse; messages can
repeat the source. So its report of what it examined is compared with the list it was given, and
what it says is told in the rule's words, without the text that they were matched with.
"""

import asyncio
import json
import posixpath
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio import activity

from activities.artifact_store import put_bytes
from activities.finding import kept, worst_first
from activities.heartbeat import heartbeating
from activities.opengrep_report import (
    NOT_EXAMINED,
    RuleReport,
    UnreadableReport,
    read_rule_report,
)
from activities.sandbox import Mount, Sandbox, inside, isolation, require_isolation, run_sandboxed
from activities.source_files import NoSuchSources, below_path, regular_files, sources
from activities.step_reuse import reusable
from activities.workspace import checked_out, private_folder
from regreen.contracts.gates import FINDINGS_IN_SCAN, Scan
from regreen.contracts.run import StageRequest
from regreen.contracts.source import Workspace
from regreen.counted import counted
from regreen.pipeline_file import SecuritySection
from regreen.tools.locate import find, version

_OWN_RULES = Path(__file__).with_name("opengrep_rules")
_SUFFIXES = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".php")
"""What Regreen's own rules are about; each such file is parsed."""
_RULES = (".yaml", ".yml")
_USUAL_PLACES = (".semgrep", ".semgrep.yml", ".semgrep.yaml")
# Far below the kernel's limit for a command line, whatever the length of the names.
_FILES_PER_RUN = 1000
_SECONDS_PER_FILE_AND_RULE = 30


@dataclass(frozen=True)
class _Examination:
    opengrep: Path
    copy: Path
    rules: Path
    """Folder with the repository's rules below `repository` and Regreen's below `regreen`."""
    folder: Path
    timeout: float


@activity.defn
@reusable(section="security", other_sections=("load",), tools=("opengrep",))
async def scan_by_rules(request: StageRequest) -> Scan:
    """Examine the sources with Regreen's rules and the repository's.

    The repository's rules are those of the commit as it was fetched: a heal cannot change them.
    """
    section = request.pipeline.security
    if section is None:
        return _scan(nothing_to_do="no security gate configured")
    require_isolation(request.pipeline.sandbox == "required")
    fetched = Workspace(source=request.workspace.source)
    async with checked_out(request.workspace) as copy, checked_out(fetched) as original:
        present = await regular_files(copy)
        load = request.pipeline.load
        if section.paths is None and load is not None:
            present = [path for path in present if path != posixpath.normpath(load.script)]
        try:
            rules = _repository_rules(await regular_files(original), section)
            fits = _is_any if rules else _is_ours
            chosen = sources(present, section.paths, fits)
        except NoSuchSources as error:
            return _scan(problem=str(error))
        if not any(map(fits, chosen)):
            return _scan(nothing_to_do="no JavaScript or PHP sources to examine")
        opengrep = find("opengrep")
        if opengrep is None:
            return _scan(missing_tool="opengrep")
        with private_folder() as folder:
            together = _rules_folder(original, rules, folder)
            examination = _Examination(opengrep, copy, together, folder, section.timeout)
            try:
                report = await _examine(examination, chosen)
            except UnreadableReport as error:
                return _scan(problem=str(error))
    # It unpacks itself to answer, for two seconds of a quick processor.
    asked = asyncio.to_thread(version, "opengrep", opengrep)
    known = await heartbeating(asked, "opengrep --version")
    findings = worst_first(report.findings, section.severity)
    document = json.dumps([finding.model_dump() for finding in findings], indent=1).encode()
    return _scan(
        tool=f"opengrep {known or ''}".strip(),
        examined=len(report.examined),
        figures=counted(report.rules, "rule"),
        findings=tuple(findings[:FINDINGS_IN_SCAN]),
        found=len(findings),
        all_findings=await kept("opengrep", findings),
        problem=report.problem or _left_out(report, chosen),
        # On a quicker machine a file may not take too long.
        repeatable=all(finding.rule != NOT_EXAMINED for finding in findings),
        artifacts=(await put_bytes("opengrep.json", document, "application/json"),),
    )


def _scan(**found: Any) -> Scan:
    return Scan(**{"gate": "static-analysis", "tool": "opengrep", "unit": "file", **found})


def _is_ours(path: str) -> bool:
    return path.endswith(_SUFFIXES)


def _is_any(_path: str) -> bool:
    return True


def _repository_rules(present: Sequence[str], section: SecuritySection) -> list[str]:
    """The files with rules of the repository: `security.rules`, or those in the usual places.

    Raises NoSuchSources when a configured path holds none.
    """
    if section.rules is None:
        below = [p for p in present if p.partition("/")[0] in _USUAL_PLACES]
        return [path for path in below if path.endswith(_RULES)]
    rules: dict[str, None] = {}
    for configured in section.rules:
        below = below_path(present, configured, "security.rules")
        found = [path for path in below if path.endswith(_RULES)]
        if not found:
            raise NoSuchSources(f"security.rules: no YAML files in {configured}")
        rules |= dict.fromkeys(found)
    return list(rules)


def _rules_folder(original: Path, rules: Sequence[str], folder: Path) -> Path:
    together = folder / "rules"
    shutil.copytree(_OWN_RULES, together / "regreen")
    for path in rules:
        target = together / "repository" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original / path, target)
    return together


async def _examine(examination: _Examination, chosen: Sequence[str]) -> RuleReport:
    whole = RuleReport()
    for start in range(0, len(chosen), _FILES_PER_RUN):
        part = await _run(examination, chosen[start : start + _FILES_PER_RUN], start)
        whole = whole.joined(part)
    return whole


async def _run(examination: _Examination, files: Sequence[str], start: int) -> RuleReport:
    """One run over some of the files. Raises UnreadableReport when it does not count."""
    results = examination.folder / f"results-{start}"
    results.mkdir()
    report, log = results / "opengrep.json", results / "opengrep.sarif"
    rules = "/rules" if isolation().kind == "bubblewrap" else str(examination.rules)
    sandbox = Sandbox(
        workspace=examination.copy,
        results=results,
        mounts=(
            Mount(examination.opengrep, str(examination.opengrep)),
            Mount(examination.rules, rules),
        ),
    )
    configurations = sorted(
        f"{rules}/{path.relative_to(examination.rules).as_posix()}"
        for path in examination.rules.rglob("*")
        if path.is_file()
    )
    done = await run_sandboxed(
        sandbox,
        [
            *(str(examination.opengrep), "scan", "--quiet", "--no-rewrite-rule-ids"),
            *(f"--config={path}" for path in configurations),
            # Nothing in the repository excuses anything but a waiver.
            *("--disable-nosem", "--no-git-ignore", "--max-target-bytes=0"),
            f"--timeout={_SECONDS_PER_FILE_AND_RULE}",
            f"--json-output={inside(sandbox, report)}",
            f"--sarif-output={inside(sandbox, log)}",
            *(f"./{path}" for path in files),
        ],
        output=examination.folder / "opengrep.log",
        timeout=examination.timeout,
        subject=f"opengrep: {counted(len(files), 'file')}",
    )
    if done.timed_out:
        raise UnreadableReport(f"did not end within {examination.timeout:g} s")
    return read_rule_report(report, log, done, f"{rules}/")


def _left_out(report: RuleReport, chosen: Sequence[str]) -> str:
    """Why the scan does not count; empty when every file that our rules are about was examined."""
    wanted = {path for path in chosen if _is_ours(path)}
    missing = sorted(wanted - report.examined)
    if not missing:
        return ""
    return f"{len(wanted) - len(missing)} of {len(wanted)} files examined, not {missing[0]}"
