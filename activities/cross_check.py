"""Several tools' scans for one gate, joined: what both found is one finding, with both named."""

from collections.abc import Collection, Sequence

from activities.finding import worst
from activities.osv_record import in_order
from regreen.contracts.gates import Finding, GateName, Scan

_JOINED: GateName = "dependencies"
_ALL_LANGUAGES = "trivy"
_REMARKS = 10


def joined(scans: Sequence[Scan], stage: str, require: Collection[str]) -> list[Scan]:
    """The scans, with those for the gate `dependencies` as one in the place of the first.

    One that could not be done is no second opinion, which the scan says; it is a problem where
    `require` names its tool. A problem of one tool is a problem of the whole.
    """
    several = [scan for scan in scans if scan.gate == _JOINED]
    if len(several) < 2:
        return list(scans)
    one = _together(several, stage, set(require))
    first = scans.index(several[0])
    others = [scan for scan in scans if scan.gate != _JOINED]
    return [*others[:first], one, *others[first:]]


def _together(scans: Sequence[Scan], stage: str, require: set[str]) -> Scan:
    made = [scan for scan in scans if not _is_skipped(scan)]
    left_out = [scan for scan in scans if _is_skipped(scan)]
    problems = [
        f"{_name(scan)}: {problem}" if len(made) > 1 else problem
        for scan in made
        for problem in [_problem(scan)]
        if problem
    ]
    problems += [_why(scan) for scan in left_out if _needed(scan, stage) & require]
    remarks = list(dict.fromkeys(remark for scan in scans for remark in scan.remarks))
    if not made:
        return Scan(
            gate=_JOINED,
            tool=_name(scans[0]),
            unit=scans[0].unit,
            problem="; ".join(problems),
            nothing_to_do="" if problems else "; ".join(map(_why, left_out)),
            missing_tool="" if problems else scans[0].missing_tool,
            remarks=tuple(remarks),
        )
    remarks += [f"no second opinion: {_why(scan)}" for scan in left_out]
    findings, apart = _compared([scan.findings for scan in made])
    if not problems and len(made) > 1:
        remarks += apart
    # Two that ask about different components can have the same source.
    figures = dict.fromkeys(scan.figures for scan in made)
    told = [*figures, "no second opinion" if left_out else ""]
    return made[0].model_copy(
        update={
            "tool": "+".join(map(_name, made)),
            "examined": _examined(made),
            "figures": ", ".join(filter(None, told)),
            "findings": tuple(findings),
            "found": len(findings),
            "problem": "; ".join(problems),
            "remarks": tuple(remarks),
        }
    )


def _examined(scans: Sequence[Scan]) -> int:
    """How many components: trivy examines all, and the others share them out by language."""
    by_trivy = sum(scan.examined for scan in scans if _name(scan) == _ALL_LANGUAGES)
    return max(by_trivy, sum(scan.examined for scan in scans) - by_trivy)


def _compared(found: Sequence[Sequence[Finding]]) -> tuple[list[Finding], list[str]]:
    """All findings, the same one of several tools once, and what only one of them knows."""
    merged: list[Finding] = []
    for findings in found:
        unseen = []
        for finding in findings:
            same = next((n for n, other in enumerate(merged) if _is_same(other, finding)), None)
            if same is None:
                unseen.append(finding)
            else:
                merged[same] = _confirmed(merged[same], finding)
        merged += unseen
    alone = [each for each in merged if not each.confirmed_by]
    lines = [f"only {each.tool} knows {each.rule} of {each.subject}" for each in alone]
    more = [f"and {len(lines) - _REMARKS} more that only one knows"]
    return merged, lines[:_REMARKS] + (more if len(lines) > _REMARKS else [])


def _is_same(one: Finding, other: Finding) -> bool:
    names = {one.rule, *one.aliases} & {other.rule, *other.aliases}
    return one.subject == other.subject and bool(names)


def _confirmed(one: Finding, other: Finding) -> Finding:
    names = in_order([one.rule, *one.aliases, other.rule, *other.aliases])
    tools = dict.fromkeys([*one.confirmed_by, other.tool])
    return one.model_copy(
        update={
            "severity": worst([one.severity, other.severity]),
            "aliases": tuple(name for name in names if name != one.rule),
            "confirmed_by": tuple(tool for tool in tools if tool != one.tool),
        }
    )


def _is_skipped(scan: Scan) -> bool:
    return bool(scan.missing_tool or scan.nothing_to_do)


def _needed(scan: Scan, stage: str) -> set[str]:
    """The names under `require` that this scan must not be left out for."""
    return {_name(scan), scan.missing_tool, stage} if scan.missing_tool else {_name(scan)}


def _problem(scan: Scan) -> str:
    return scan.problem or ("" if scan.examined else f"0 {scan.unit or 'thing'}s examined")


def _why(scan: Scan) -> str:
    return scan.nothing_to_do or f"{scan.missing_tool} not found, `regreen tools install`"


def _name(scan: Scan) -> str:
    return scan.tool.partition(" ")[0]
