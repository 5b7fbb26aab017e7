"""What a repository's policy opens for heals: paths and rules, each with its reason."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from regreen.contracts.healing import GuardVerdict, Opened, Refusal
from regreen.guard_rules import NEVER_OPEN, PATH_RULES


@dataclass(frozen=True)
class Policy:
    """Glob patterns of paths, and names of rules; an empty reason opens nothing."""

    open_paths: Mapping[str, str]
    open_rules: Mapping[str, str]

    def opening(self, refusal: Refusal) -> Opened | None:
        """What lifts a refusal, or None. A path lifts rules about paths only."""
        reason = self.open_rules.get(refusal.rule, "")
        if refusal.rule in PATH_RULES and not reason.strip():
            matching = (
                stated
                for pattern, stated in self.open_paths.items()
                if stated.strip() and re.fullmatch(_glob(pattern), refusal.path)
            )
            reason = next(matching, "")
        elif refusal.rule in NEVER_OPEN:
            return None
        if not reason.strip():
            return None
        return Opened(rule=refusal.rule, path=refusal.path, reason=reason.strip())


def apply_policy(refusals: Sequence[Refusal], policy: Policy) -> GuardVerdict:
    """Part the refusals into those that stand and those that the policy lifts."""
    standing: list[Refusal] = []
    opened: dict[Opened, None] = {}
    for refusal in refusals:
        opening = policy.opening(refusal)
        if opening is None:
            standing.append(refusal)
        else:
            opened[opening] = None
    return GuardVerdict(refusals=tuple(standing), opened=tuple(opened))


def _glob(pattern: str) -> str:
    """A regular expression for a pattern in which `**` crosses folders and `*` does not."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meanings.get(part, re.escape(part)) for part in parts)
