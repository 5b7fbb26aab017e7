"""The guard's rule for text that is not Python: no new words that skip, ignore or suppress."""

import re
from collections import Counter

from activities.healing.guard_change import ChangedFile
from regreen.contracts.healing import Refusal

_TAMPERING = re.compile(
    r"\|\|\s*(?:true\b|:(?!\w))|\bset\s+\+e\b|continue-on-error|\bexit\s+0\b"
    r"|--(?:deselect|ignore|ignore-glob|no-cov|exit-zero|no-verify)\b|fail[_-]under"
    r"|\b(?:xfail|skipif|skipTest|importorskip|noqa|nosec|nosemgrep)\b|type:\s*ignore"
    r"|pragma:\s*no|eslint-disable|gitleaks:allow|PYTEST_|\bpytest\b|\bconftest\b"
    r"|BEGIN [A-Z ]*PRIVATE KEY",
    re.IGNORECASE,
)


def check_text(change: ChangedFile) -> list[Refusal]:
    """Refuse new lines with such words, and text that is not UTF-8 where it was before."""
    try:
        after = (change.after or b"").decode("utf-8")
    except UnicodeDecodeError:
        return _check_encoding(change)
    before = (change.before or b"").decode("utf-8", "replace")
    known = Counter(before.splitlines())
    grown = Counter(_words(after)) - Counter(_words(before))
    found: list[Refusal] = []
    for number, line in enumerate(after.splitlines(), start=1):
        if known[line] > 0:
            known[line] -= 1
            continue
        for word in _words(line):
            if grown[word] > 0:
                grown[word] -= 1
                reason = f"the new line says `{word}`"
                found.append(
                    Refusal(rule="tampering-text", path=change.path, line=number, reason=reason)
                )
    return found


def _words(text: str) -> list[str]:
    return [match[0].strip().lower() for match in _TAMPERING.finditer(text)]


def _check_encoding(change: ChangedFile) -> list[Refusal]:
    try:
        (change.before or b"").decode("utf-8")
    except UnicodeDecodeError:
        return []
    reason = "the file is no longer UTF-8 text"
    return [Refusal(rule="binary-file", path=change.path, line=0, reason=reason)]
