"""The coverage gate: how much of the code the test stages ran, together and one by one."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes, put_bytes
from activities.coverage_report import (
    Coverage,
    changed_coverage,
    combined,
    percent,
    read_coverage,
    shown,
    without,
)
from activities.finding import Fingerprints, kept, one_line, worst_first
from activities.git import git
from activities.workspace import checked_out
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan, Severity
from regreen.contracts.run import StageRequest
from regreen.contracts.source import Source
from regreen.counted import counted
from regreen.pipeline_file import CoverageSection

_SHOWN = 5
_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")


class CoverageRequest(StageRequest):
    """The tree that counts, heals included, and what its test stages ran of it."""

    reports: dict[str, ArtifactRef]
    """By test stage, in the order in which they ran: coverage.py's JSON report."""
    unhealed: dict[str, ArtifactRef] = Field(default_factory=dict)
    """The same of the tree without any heal, for the stages that ran on it."""


@activity.defn
async def measure_coverage(request: CoverageRequest) -> Scan:
    """Compare the coverage of all test stages together with `coverage.threshold`, and more.

    Findings: the total, lines, branches, a stage and the changed lines below their thresholds; a
    heal that lowers what is reached, or has a line that no test runs; and, for information, each
    file below the threshold.
    """
    section = request.pipeline.coverage
    if section is None:
        return _scan(nothing_to_do="coverage is switched off")
    if not request.reports:
        return _scan(nothing_to_do="no test stage measured coverage")
    try:
        runs = await _read(request.reports, section)
        unhealed = await _read(request.unhealed, section)
    except _Unreadable as error:
        return _scan(problem=str(error))
    whole = combined(runs.values())
    if whole.files and not whole.possible:
        return _scan(nothing_to_do="the code has no statements that a test could run")
    async with checked_out(request.workspace) as copy:
        healed = await _changed(["diff", "--cached", "--unified=0", "HEAD"], copy)
        base = request.workspace.source.base
        try:
            changed = await _changed(["diff", "--cached", "--unified=0", base or "HEAD~1"], copy)
        except ApplicationError:
            # The first commit of its repository: all of it is new, and the total speaks for it.
            changed = {}
    run, statements = changed_coverage(whole, changed)
    found = _Findings(section)
    found.total(whole)
    found.stages(runs)
    found.lowered(unhealed, runs)
    found.changed(run, statements)
    found.healed(whole, healed)
    found.files(whole)
    findings = worst_first(found.all, "high")
    figures = f"{shown(whole.percent)} of lines and branches"
    if whole.branches.possible:
        lines, branches = shown(whole.lines.percent), shown(whole.branches.percent)
        figures += f" (lines {lines}, branches {branches})"
    if statements:
        figures += f", {shown(percent(run, statements))} of {counted(statements, 'changed line')}"
        figures += f" since {_base(request.workspace.source)}"
    return _scan(
        examined=len(whole.files),
        figures=figures,
        findings=tuple(findings[:FINDINGS_IN_SCAN]),
        found=len(findings),
        all_findings=await kept("coverage", findings),
        remarks=_least_tested(whole, section),
        artifacts=(await _stored(whole, run, statements, _base(request.workspace.source)),),
    )


def _scan(**found: Any) -> Scan:
    return Scan(gate="coverage", tool="coverage", unit="file", **found)


class _Unreadable(Exception):
    """A stage's report is none; the message is one line."""


async def _read(
    reports: Mapping[str, ArtifactRef], section: CoverageSection
) -> dict[str, Coverage]:
    found = {}
    for stage, report in reports.items():
        data = await get_bytes(report)
        try:
            found[stage] = without(read_coverage(data), section.omit)
        except ValidationError as error:
            said = one_line(data[:300].decode("utf-8", "replace"))
            raise _Unreadable(f"the coverage of {stage} cannot be read: {said}") from error
    return found


def _base(source: Source) -> str:
    return f"{source.base_ref} ({source.base[:12]})" if source.base else "the parent commit"


def _least_tested(whole: Coverage, section: CoverageSection) -> tuple[str, ...]:
    """The files below the threshold, the worst first."""
    files = [
        (percent(file.run, file.possible), path, len(file.missing))
        for path, file in whole.files.items()
    ]
    below = sorted(each for each in files if each[0] < section.threshold)
    told = [
        f"{path}: {shown(found)} of lines and branches, {counted(missing, 'line')} never run"
        for found, path, missing in below[:_SHOWN]
    ]
    if len(below) > _SHOWN:
        told.append(f"{len(below) - _SHOWN} more files are below {section.threshold:g} %")
    return tuple(told)


class _Findings:
    """The findings so far."""

    def __init__(self, section: CoverageSection) -> None:
        self.all: list[Finding] = []
        self._section = section
        self._fingerprints = Fingerprints("coverage")

    def total(self, whole: Coverage) -> None:
        if whole.percent < self._section.threshold:
            text = f"{shown(whole.percent)} is below {self._section.threshold:g} %"
            self._add("total-coverage", "high", text, subject="total")
        for rule, what, share, wanted in (
            ("line-coverage", "lines", whole.lines, self._section.lines),
            ("branch-coverage", "branches", whole.branches, self._section.branches),
        ):
            if wanted is not None and share.percent < wanted:
                text = f"{shown(share.percent)} of {share.possible:,} {what} is below {wanted:g} %"
                self._add(rule, "high", text, subject=what)

    def lowered(self, unhealed: Mapping[str, Coverage], runs: Mapping[str, Coverage]) -> None:
        """Compare the stages that ran on both trees."""
        both = [stage for stage in unhealed if stage in runs]
        if not both:
            return
        before = combined(unhealed[stage] for stage in both)
        after = combined(runs[stage] for stage in both)
        for what, old, new in (
            ("lines", before.lines, after.lines),
            ("branches", before.branches, after.branches),
        ):
            # A share sinks, too, when a heal removes code that tests run; then nothing is untested
            # that was not before.
            if new.percent < old.percent and new.missing > old.missing:
                text = (
                    f"a heal lowers it from {shown(old.percent)} of {what} to {shown(new.percent)},"
                    f" {new.missing} never run instead of {old.missing}"
                )
                self._add("lowered-coverage", "high", text, subject=what)

    def stages(self, runs: Mapping[str, Coverage]) -> None:
        for stage, wanted in self._section.stages.items():
            if stage not in runs:
                self._add("stage-coverage", "high", f"{stage} measured none", subject=stage)
            elif runs[stage].percent < wanted:
                text = f"{stage}: {shown(runs[stage].percent)} is below {wanted:g} %"
                self._add("stage-coverage", "high", text, subject=stage)

    def changed(self, run: int, statements: int) -> None:
        wanted, found = self._section.changed, percent(run, statements)
        if wanted is not None and found < wanted:
            text = f"{shown(found)} of {statements} changed lines is below {wanted:g} %"
            self._add("changed-coverage", "high", text, subject="changed lines")

    def healed(self, whole: Coverage, healed: Mapping[str, frozenset[int]]) -> None:
        for path, lines in healed.items():
            file = whole.files.get(path)
            for line in sorted((file.lines - file.run_lines) & lines) if file else ():
                text = "a heal changed this line, and no test runs it"
                self._add("healed-coverage", "high", text, path=path, line=line)

    def files(self, whole: Coverage) -> None:
        for path, file in whole.files.items():
            found = percent(file.run, file.possible)
            if found < self._section.threshold:
                first = f", first line {file.missing[0]}" if file.missing else ""
                text = f"{shown(found)}, {len(file.missing)} lines never run{first}"
                self._add("file-coverage", "low", text, path=path)

    def _add(
        self,
        rule: str,
        severity: Severity,
        message: str,
        *,
        path: str = "",
        line: int = 0,
        subject: str = "",
    ) -> None:
        self.all.append(
            Finding(
                tool="coverage",
                rule=rule,
                severity=severity,
                path=path,
                line=line,
                subject=subject,
                message=message,
                fingerprint=self._fingerprints.of(rule, path, subject),
            )
        )


async def _changed(words: Sequence[str], copy: Any) -> dict[str, frozenset[int]]:
    """The lines of each file that are new or changed, by `git diff` without context."""
    options = ["--no-color", "--no-ext-diff", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/"]
    text = (await git([*words, *options, "--", "*.py"], cwd=copy)).decode("utf-8", "replace")
    found: dict[str, set[int]] = {}
    path = ""
    for line in text.splitlines():
        if line.startswith("+++ "):
            path = line[4:].removeprefix("b/")
        elif match := _HUNK.match(line):
            start, count = int(match[1]), int(match[2] or 1)
            found.setdefault(path, set()).update(range(start, start + count))
    return {path: frozenset(lines) for path, lines in found.items()}


async def _stored(whole: Coverage, run: int, statements: int, since: str) -> ArtifactRef:
    document = {
        "percent": shown(whole.percent),
        "lines_percent": shown(whole.lines.percent),
        "branches_percent": shown(whole.branches.percent),
        "changed_lines": {"run": run, "statements": statements, "since": since},
        "files": {
            path: {
                "percent": shown(percent(file.run, file.possible)),
                "lines": len(file.lines),
                "lines_run": len(file.run_lines),
                "branches": len(file.branches),
                "branches_run": len(file.run_branches),
                "missing_lines": list(file.missing),
            }
            for path, file in sorted(whole.files.items())
        },
    }
    data = json.dumps(document, indent=1).encode()
    return await put_bytes("coverage-of-all-stages.json", data, "application/json")
