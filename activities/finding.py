"""Findings of tools: their fingerprints, and the scans that carry them."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from activities.artifact_store import put_bytes
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Severity

LEVELS: dict[Severity, int] = {"low": 1, "medium": 2, "high": 3, "critical": 4}
"""Severities from the least to the worst; `unknown` has no place among them."""

_MESSAGE = 500


def level(severity: Severity, unknown: Severity) -> int:
    """How bad a severity is; one that is unknown counts as `unknown` says."""
    return LEVELS.get(severity, LEVELS.get(unknown, 1))


def worst(severities: Iterable[Severity]) -> Severity:
    """The worst of what is known; `unknown` when nothing is."""
    known = [each for each in severities if each != "unknown"]
    return max(known, key=LEVELS.__getitem__, default="unknown")


class Fingerprints:
    """Fingerprints of one tool's findings.

    They are made of the rule and of what it found, and not of the line, so that code that moves
    keeps them; a second finding of the same rule in the same place is told by its number.
    """

    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._seen: Counter[tuple[str, str, str]] = Counter()

    def of(self, rule: str, path: str = "", subject: str = "") -> str:
        """The next finding's fingerprint: 32 hexadecimal digits."""
        key = (rule, path, subject)
        self._seen[key] += 1
        parts = (self._tool, *key, str(self._seen[key]))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def worst_first(findings: Iterable[Finding], unknown: Severity) -> list[Finding]:
    """The findings, the worst first, else in the order in which they came."""
    return sorted(findings, key=lambda finding: -level(finding.severity, unknown))


def one_line(text: str) -> str:
    """A message as a finding may carry it."""
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE else f"{line[: _MESSAGE - 2]} …"


async def kept(tool: str, findings: Sequence[Finding]) -> ArtifactRef | None:
    """The artifact with all findings, when there are more than travel with a scan."""
    if len(findings) <= FINDINGS_IN_SCAN:
        return None
    lines = "".join(f"{finding.model_dump_json()}\n" for finding in findings)
    return await put_bytes(f"{tool}-findings.jsonl", lines.encode(), "application/jsonl")
