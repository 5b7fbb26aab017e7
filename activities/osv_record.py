"""Records of vulnerabilities as OSV describes them: ossf.github.io/osv-schema."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from packaging.utils import canonicalize_name
from pydantic import BaseModel, Field

from activities.components import ECOSYSTEMS, Component
from activities.finding import worst
from regreen.contracts.gates import Severity

_WORDS: dict[str, Severity] = {
    "LOW": "low",
    "MODERATE": "medium",
    "MEDIUM": "medium",
    "HIGH": "high",
    "CRITICAL": "critical",
}
_CVSS_3 = re.compile(r"CVSS:3\.[01]((?:/[A-Z]+:[A-Z])+)")
# Numbers of the base metrics: first.org/cvss/v3.1/specification-document, section 7.4.
_VECTOR = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_COMPLEXITY = {"L": 0.77, "H": 0.44}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
_INTERACTION = {"N": 0.85, "R": 0.62}
_IMPACT = {"H": 0.56, "L": 0.22, "N": 0.0}


class _Rating(BaseModel):
    score: str = ""


class _Package(BaseModel):
    name: str = ""
    ecosystem: str = ""


class _Range(BaseModel):
    events: list[dict[str, Any]] = []


class _Affected(BaseModel):
    package: _Package = Field(default_factory=_Package)
    ranges: list[_Range] = []
    severity: list[_Rating] = []


class Record(BaseModel):
    """One vulnerability. Fields that are not needed are not read."""

    id: str
    aliases: list[str] = []
    summary: str = ""
    withdrawn: str = ""
    severity: list[_Rating] = []
    affected: list[_Affected] = []
    database_specific: dict[str, Any] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the CVE first where there is one, since other tools know that best."""
        return in_order([self.id, *self.aliases])


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of a vulnerability, each once, those of CVE first."""
    return tuple(sorted(dict.fromkeys(names), key=lambda name: not name.startswith("CVE-")))


def severity_of(record: Record) -> Severity:
    """The worst of what the record says of its severity; `unknown` when it says nothing.

    Read are vectors of CVSS 3 and the word of the database. Vectors of other versions say nothing
    here: a record that has only those is unknown.
    """
    rated = [*record.severity, *(each for one in record.affected for each in one.severity)]
    found = [_of_vector(each.score) for each in rated]
    found.append(_WORDS.get(str(record.database_specific.get("severity", "")).upper()))
    return worst(each for each in found if each is not None)


def fixed_in(records: Sequence[Record], component: Component) -> tuple[str, ...]:
    """The versions that the records say the component is mended in."""
    ecosystem = ECOSYSTEMS[component.kind]

    def name_of(package: _Package) -> str:
        return canonicalize_name(package.name) if ecosystem == "PyPI" else package.name

    events = [
        event
        for record in records
        for one in record.affected
        if (one.package.ecosystem, name_of(one.package)) == (ecosystem, component.name)
        for each in one.ranges
        for event in each.events
    ]
    return tuple(dict.fromkeys(str(event["fixed"]) for event in events if "fixed" in event))


def base_score(vector: str) -> float | None:
    """The base score of a vector of CVSS 3.0 or 3.1, 0 to 10; None for anything else.

    The formulas of first.org/cvss/v3.1/specification-document, section 7.1.
    """
    match = _CVSS_3.fullmatch(vector)
    if match is None:
        return None
    metrics = dict(part.split(":") for part in match[1].removeprefix("/").split("/"))
    try:
        changed = {"C": True, "U": False}[metrics["S"]]
        kept = 1.0
        for name in "CIA":
            kept *= 1 - _IMPACT[metrics[name]]
        exploitability = 8.22 * _VECTOR[metrics["AV"]] * _COMPLEXITY[metrics["AC"]]
        exploitability *= _PRIVILEGES[metrics["S"]][metrics["PR"]] * _INTERACTION[metrics["UI"]]
    except KeyError:
        return None
    lost = 1 - kept
    impact = 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15 if changed else 6.42 * lost
    if impact <= 0:
        return 0.0
    return _round_up(min((1.08 if changed else 1.0) * (impact + exploitability), 10.0))


def _round_up(value: float) -> float:
    """To one place upwards, as appendix A of the specification does it."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10


def _of_vector(vector: str) -> Severity | None:
    """In the words of section 5; a vulnerability that does no harm is of the least severity."""
    score = base_score(vector)
    if score is None:
        return None
    if score >= 9.0:
        return "critical"
    if score >= 7.0:
        return "high"
    return "medium" if score >= 4.0 else "low"
