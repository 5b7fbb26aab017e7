"""The review of dependencies: what changed since the last accepted commit, and their licences."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from packaging.version import InvalidVersion, Version
from temporalio import activity

from activities.accepted_dependencies import accepted_base
from activities.artifact_store import get_bytes, put_bytes
from activities.components import Component, components_of
from activities.finding import Fingerprints, kept, level, one_line
from activities.heartbeat import heartbeating
from activities.licence_policy import permits
from regreen.contracts.base import Contract
from regreen.contracts.dependencies import DependencyReviewRequest
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan, Severity
from regreen.pipeline_file import LicencesSection, SecuritySection

TOOL = "dependency-review"
REVIEW_FILE = "dependency-review.json"

_REMARKS = 15

Kind = Literal["new", "downgraded", "changed", "upgraded", "removed"]
_KINDS: tuple[Kind, ...] = ("new", "downgraded", "changed", "upgraded", "removed")


class Change(Contract):
    """One package that is not as it was."""

    kind: Kind
    package: str
    """Package URL without version."""
    before: tuple[str, ...]
    now: tuple[str, ...]
    licence: str = ""
    """SPDX expression; empty when it is unknown, or the package is gone."""
    vulnerabilities: tuple[str, ...] = ()
    """Those at which the gate for dependencies blocks."""

    @property
    def line(self) -> str:
        """For a person."""
        name = self.package.partition("/")[2]
        before, now = ", ".join(self.before), ", ".join(self.now)
        bad = f"; known bad: {', '.join(self.vulnerabilities)}" if self.vulnerabilities else ""
        if self.kind == "new":
            return f"new: {name} {now} ({self.licence or 'licence unknown'}){bad}"
        if self.kind == "removed":
            return f"removed: {name} {before}"
        return f"{self.kind}: {name} {before} to {now}{bad}"


@activity.defn
async def review_dependencies(request: DependencyReviewRequest) -> Scan:
    """Compare the components with those of the last accepted commit, and look at their licences.

    Without a bill, or without an accepted commit, there is nothing to compare with; licences are
    looked at all the same. The repository's own packages are left out.
    """
    return await heartbeating(_reviewed(request), "review of dependencies")


async def _reviewed(request: DependencyReviewRequest) -> Scan:
    listed, section = request.listed, request.stage.pipeline.security or SecuritySection()
    if listed.bill is None:
        return _scan(nothing_to_do=f"{TOOL}: there is no list of dependencies")
    own = {purl.rpartition("@")[0] for purl in listed.own}
    present = components_of(json.loads(await get_bytes(listed.bill)))
    components = [each for each in present if each.package not in own]
    findings = _LicenceFindings(section.licences).of(components)
    base = await accepted_base(request.stage.workspace)
    changes: list[Change] = []
    if base is None:
        figures = "no accepted commit to compare with"
    else:
        commit, before = base
        bad = _blocking(request.scans, section.vulnerabilities)
        changes = changes_between([b for b in before if b.package not in own], components, bad)
        figures = f"compared with {commit[:12]}: {_counts(changes)}"
        if section.new_dependencies == "fail":
            findings += _new_findings(changes)
    unknown = [f"licence unknown: {each.purl}" for each in components if not each.licence]
    remarks = [change.line for change in changes]
    remarks += [] if section.licences.allow else unknown
    more = len(remarks) - _REMARKS
    remarks = remarks[:_REMARKS] + ([f"and {more} more, in {REVIEW_FILE}"] if more > 0 else [])
    document = {
        "base": base[0] if base else None,
        "changes": [change.model_dump() for change in changes],
        "licences": {each.purl: each.licence for each in components},
    }
    written = json.dumps(document, indent=1).encode()
    return _scan(
        examined=len(present),
        figures=figures,
        findings=tuple(findings[:FINDINGS_IN_SCAN]),
        found=len(findings),
        all_findings=await kept(TOOL, findings),
        remarks=(*listed.remarks, *remarks),
        artifacts=(listed.bill, await put_bytes(REVIEW_FILE, written, "application/json")),
    )


def changes_between(
    before: Sequence[Component], now: Sequence[Component], bad: Mapping[str, Sequence[str]]
) -> list[Change]:
    """What is not as it was, the most remarkable first.

    `bad` has the names of vulnerabilities by package URL.
    """
    old, new = _by_package(before), _by_package(now)
    found = []
    for package in old.keys() | new.keys():
        was, is_ = old.get(package, []), new.get(package, [])
        versions = tuple(each.version for each in was), tuple(each.version for each in is_)
        if versions[0] == versions[1]:
            continue
        known_bad = [name for each in is_ for name in bad.get(each.purl, ())]
        found.append(
            Change(
                kind=_kind(*versions),
                package=package,
                before=versions[0],
                now=versions[1],
                licence=is_[0].licence if is_ else "",
                vulnerabilities=tuple(dict.fromkeys(known_bad)),
            )
        )
    return sorted(
        found, key=lambda each: (not each.vulnerabilities, _KINDS.index(each.kind), each.package)
    )


def _kind(before: tuple[str, ...], now: tuple[str, ...]) -> Kind:
    if not before:
        return "new"
    if not now:
        return "removed"
    if len(before) > 1 or len(now) > 1:
        return "changed"
    try:
        return "upgraded" if Version(now[0]) > Version(before[0]) else "downgraded"
    except InvalidVersion:
        return "changed"


def _by_package(components: Iterable[Component]) -> dict[str, list[Component]]:
    found: dict[str, list[Component]] = defaultdict(list)
    for each in components:
        found[each.package].append(each)
    return found


def _blocking(scans: Sequence[Scan], limit: Severity) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for finding in (each for scan in scans for each in scan.findings):
        if level(finding.severity, limit) >= level(limit, limit):
            found[finding.subject].append(finding.rule)
    return found


def _counts(changes: Sequence[Change]) -> str:
    parts = []
    for kind in _KINDS:
        these = [change for change in changes if change.kind == kind]
        bad = sum(1 for change in these if change.vulnerabilities)
        if these:
            parts.append(f"{len(these)} {kind}" + (f" ({bad} known bad)" if bad else ""))
    return ", ".join(parts) or "nothing changed"


class _LicenceFindings:
    """What the pipeline file does not permit."""

    def __init__(self, section: LicencesSection) -> None:
        self._section = section
        self._fingerprints = Fingerprints(TOOL)

    def of(self, components: Iterable[Component]) -> list[Finding]:
        """A finding for each component whose licence is not permitted, or not known to be."""
        allow, deny = self._section.allow, self._section.deny
        found = []
        for each in components:
            if not each.licence:
                if allow:
                    found.append(self._finding("licence-unknown", each, "licence unknown"))
            elif not permits(each.licence, (), deny):
                found.append(self._finding("licence-denied", each, each.licence))
            elif not permits(each.licence, allow, deny):
                found.append(self._finding("licence-not-allowed", each, each.licence))
        return found

    def _finding(self, rule: str, component: Component, said: str) -> Finding:
        message = f"{component.name} {component.version}: {said}, by `security.licences`"
        return _finding(self._fingerprints, rule, component.purl, message)


def _new_findings(changes: Sequence[Change]) -> list[Finding]:
    fingerprints = Fingerprints(TOOL)
    return [
        _finding(fingerprints, "new-dependency", f"{change.package}@{version}", change.line)
        for change in changes
        if change.kind == "new"
        for version in change.now
    ]


def _finding(fingerprints: Fingerprints, rule: str, subject: str, message: str) -> Finding:
    return Finding(
        tool=TOOL,
        rule=rule,
        severity="high",
        subject=subject,
        message=one_line(message),
        fingerprint=fingerprints.of(rule, subject=subject),
    )


def _scan(**found: Any) -> Scan:
    return Scan(gate="dependency-review", tool=TOOL, unit="component", **found)
