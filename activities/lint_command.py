"""The lint stage's other linters: commands of the repository that write SARIF.

They run in the sandbox with the repository's environment, as its test commands do. Linters end with
1 for findings and for trouble alike, so it is the file that counts, and one without findings does
not agree with such an end.
"""

import asyncio
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from temporalio import activity

from activities.artifact_store import put_bytes
from activities.environment import EnvironmentFailed, environment_of
from activities.finding import kept, worst_first
from activities.heartbeat import heartbeating
from activities.log_artifact import put_log
from activities.result_file import MAXIMUM_BYTES, is_result, read_result
from activities.sandbox import WORKSPACE, Sandbox, require_isolation, run_sandboxed
from activities.sarif_reading import UnreadableSarif, read_sarif
from activities.source_files import regular_files
from activities.workspace import checked_out, private_folder
from regreen.contracts.gates import FINDINGS_IN_SCAN, Scan
from regreen.contracts.run import StageRequest
from regreen.pipeline_file import LintCommandSection


class LintCommandRequest(StageRequest):
    """A tree, and the linter that is to look at it."""

    linter: LintCommandSection


@activity.defn
async def lint_by_command(request: LintCommandRequest) -> Scan:
    """Run one of `lint.commands` and read the SARIF file that it writes.

    What it examined are the files that its report lists, else all that `files` names.
    """
    section, linter = request.pipeline.lint, request.linter
    if section is None:
        return _scan(linter, nothing_to_do="linting is switched off")
    require_isolation(request.pipeline.sandbox == "required")
    async with checked_out(request.workspace) as copy:
        present = await regular_files(copy)
        wanted = {path for path in present if _matches(path, linter.files)}
        if not wanted:
            return _scan(linter, problem=f"no file fits {', '.join(linter.files)}")
        try:
            environment = await environment_of(request.workspace, request.pipeline, copy)
        except EnvironmentFailed as error:
            return _scan(linter, problem=str(error))
        with private_folder() as folder:
            problem = _make_room(copy, linter.sarif)
            if problem:
                return _scan(linter, problem=problem)
            done = await run_sandboxed(
                Sandbox(workspace=copy, environment=environment),
                linter.command,
                output=folder / f"{linter.name}.log",
                timeout=section.timeout,
                subject=linter.name,
            )
            log = await put_log(done.output)
            if done.timed_out:
                problem = f"did not end within {section.timeout:g} s"
                return _scan(linter, problem=problem, artifacts=(log,))
            lines = done.tail().strip().splitlines() or ["no output"]
            data, why = _written(copy, linter.sarif)
            if why:
                problem = f"ended with code {done.code} and {why}: {lines[-1][:300]}"
                return _scan(linter, problem=problem, artifacts=(log,))
            try:
                # A large report takes seconds, in which heartbeats must go on.
                reading = asyncio.to_thread(read_sarif, data, linter.name, (WORKSPACE, str(copy)))
                report = await heartbeating(reading, linter.name)
            except UnreadableSarif as error:
                return _scan(linter, problem=f"{linter.sarif}: {error}", artifacts=(log,))
    findings = worst_first(report.findings, section.severity)
    problem = f"{linter.sarif}: {report.problem}" if report.problem else ""
    if done.code != 0 and not findings and not problem:
        problem = f"ended with code {done.code} and reports nothing: {lines[-1][:300]}"
    said = [] if report.files else ["its report does not list them"]
    said += [f"{report.suppressed} suppressed in the code"] if report.suppressed else []
    document = "[\n" + ",\n".join(finding.model_dump_json() for finding in findings) + "\n]\n"
    stored = await put_bytes(f"{linter.name}.json", document.encode(), "application/json")
    return _scan(
        linter,
        examined=len(report.files & wanted) if report.files else len(wanted),
        figures=", ".join(said),
        findings=tuple(findings[:FINDINGS_IN_SCAN]),
        found=len(findings),
        all_findings=await kept(linter.name, findings),
        problem=problem,
        artifacts=(stored, log),
    )


def _scan(linter: LintCommandSection, **found: Any) -> Scan:
    return Scan(gate="lint", tool=linter.name, unit="file", **found)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _make_room(copy: Path, name: str) -> str:
    """Remove what is there in place of the report and make its folder; why not, in one line."""
    path = copy / name
    if not path.parent.resolve().is_relative_to(copy.resolve()):
        return f"{name} leads out of the repository"
    if path.is_dir() and not path.is_symlink():
        return f"{name} is a folder"
    try:
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{name} cannot be written: {error.strerror}"
    return ""


def _written(copy: Path, name: str) -> tuple[bytes, str]:
    """The report that the command wrote; or why there is none, in a few words."""
    path = copy / name
    if not path.parent.resolve().is_relative_to(copy.resolve()) or not is_result(path):
        return b"", f"wrote no {name}"
    data = read_result(path)
    if data is None:
        return b"", f"wrote a {name} larger than {MAXIMUM_BYTES >> 20} MiB"
    return data, ""
