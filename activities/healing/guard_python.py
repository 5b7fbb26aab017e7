"""The guard's comparison of one Python file before and after, by tree and tokens."""

from collections import Counter
from collections.abc import Iterator, Sequence

from activities.healing.guard_change import ChangedFile
from activities.healing.guard_literals import find_copied
from activities.healing.guard_losses import find_losses, lost_comments
from activities.healing.guard_module import Finding, Module, comments, own_functions, parse
from activities.healing.guard_paths import is_test_path
from activities.healing.guard_reach import find_reach
from activities.healing.guard_tampering import find_tampering
from regreen.contracts.healing import Refusal

_UNREADABLE = (SyntaxError, UnicodeDecodeError, ValueError, RecursionError, MemoryError)


def check_python(change: ChangedFile, expectations: Sequence[str]) -> list[Refusal]:
    """Refuse what the new text of a Python file adds or loses; empty when all of it is allowed.

    A rule compares counts: what the file did before, it may still do. When the old text does not
    parse, lines take the place of the tree: a line that stood there before is not new.
    """
    try:
        after = parse(change.after or b"")
    except _UNREADABLE as error:
        line = getattr(error, "lineno", None) or 0
        reason = getattr(error, "msg", None) or f"cannot be read: {type(error).__name__}"
        return [Refusal(rule="syntax-error", path=change.path, line=line, reason=str(reason))]
    try:
        before = None if change.before is None else parse(change.before)
    except _UNREADABLE:
        findings = list(_against_lines(change.before or b"", after, change.path))
    else:
        is_test = is_test_path(change.path)
        findings = [
            *_added(before, after, is_test),
            *(find_losses(before, after) if before else ()),
            *find_copied(before, after, () if is_test else expectations),
        ]
    return [
        Refusal(rule=each.rule, path=change.path, line=each.line, reason=each.reason)
        for each in findings
    ]


def _watched(module: Module, own: set[str], is_test: bool) -> list[Finding]:
    return [*find_reach(module, own, is_test), *find_tampering(module, is_test)]


def _added(before: Module | None, after: Module, is_test: bool) -> Iterator[Finding]:
    own = own_functions(before.tree) if before else set()
    old = _watched(before, own, is_test) if before else []
    new = _watched(after, own, is_test)
    old_counts = Counter((each.rule, each.key) for each in old)
    excess = Counter((each.rule, each.key) for each in new) - old_counts
    old_lines = {line.strip() for line in before.lines} if before else set()
    # Of several equal findings the one on a line that is new is the one to name.
    for each in sorted(new, key=lambda found: _text_at(after, found.line) in old_lines):
        if excess[each.rule, each.key] > 0:
            excess[each.rule, each.key] -= 1
            yield each


def _against_lines(content: bytes, after: Module, path: str) -> Iterator[Finding]:
    text = content.decode("utf-8", "replace")
    lines = text.splitlines()
    known = {line.strip() for line in lines}
    for each in _watched(after, set(), is_test_path(path)):
        if _text_at(after, each.line) not in known:
            yield each
    yield from lost_comments(comments(text), after.comments, lines, after.lines)
    kept = {line.strip() for line in after.lines}
    for line in known - kept:
        if line.startswith("assert "):
            yield Finding("removed-assertion", line, 0, f"`{line[:80]}` is removed or changed")


def _text_at(module: Module, line: int) -> str:
    return module.lines[line - 1].strip() if 0 < line <= len(module.lines) else ""
