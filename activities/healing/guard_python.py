"""The guard's comparison of one Python file before and after, by tree and tokens."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from activities.healing.guard_change import ChangedFile
from activities.healing.guard_copied import find_copied
from activities.healing.guard_delays import find_delays
from activities.healing.guard_handlers import find_covered, find_swallowed
from activities.healing.guard_limits import find_raised_limits
from activities.healing.guard_losses import find_losses, gains, lost_comments
from activities.healing.guard_module import (
    UNREADABLE,
    Finding,
    Module,
    comments,
    constants_of,
    own_functions,
    parse,
)
from activities.healing.guard_patching import find_patched
from activities.healing.guard_paths import is_test_path
from activities.healing.guard_reach import find_reach
from activities.healing.guard_rigged import find_rigged
from activities.healing.guard_runner import find_detection
from activities.healing.guard_silence import find_exits, find_silence
from activities.healing.guard_tests import find_skips


@dataclass(frozen=True)
class Constants:
    """Constants at the top of all files of a patch, before and after, by module and name."""

    before: Mapping[str, object]
    after: Mapping[str, object]


def constants_of_patch(changes: Sequence[ChangedFile]) -> Constants:
    """What the files of a patch bind at their top; nothing when there is but one."""
    before: dict[str, object] = {}
    after: dict[str, object] = {}
    for change in changes if len(changes) > 1 else ():
        before |= constants_of(change.path, change.before or b"")
        after |= constants_of(change.path, change.after or b"")
    return Constants(before, after)


@dataclass(frozen=True)
class Comparison:
    """What a file gains and loses. The counters hold rule and key of what may have been moved."""

    added: list[Finding] = field(default_factory=list)
    lost: list[Finding] = field(default_factory=list)
    certain: list[Finding] = field(default_factory=list)
    """Findings that nothing in another file explains."""
    removed: Counter[tuple[str, str]] = field(default_factory=Counter)
    gained: Counter[tuple[str, str]] = field(default_factory=Counter)


def compare_python(
    change: ChangedFile, expectations: Sequence[str], constants: Constants
) -> Comparison:
    """Compare a Python file before and after; what is nested too deeply to be read is refused."""
    try:
        return _compare(change, expectations, constants)
    except RecursionError:
        reason = "is nested too deeply to be read"
        return Comparison(certain=[Finding("syntax-error", "", 0, reason)])


def _compare(change: ChangedFile, expectations: Sequence[str], constants: Constants) -> Comparison:
    """Compare a Python file before and after.

    A rule compares counts: what the file did before, it may still do. When the old text does not
    parse, lines take the place of the tree: a line that stood there before is not new.
    """
    try:
        after = parse(change.after or b"", constants.after)
    except UNREADABLE as error:
        line = getattr(error, "lineno", None) or 0
        last = len((change.after or b"").splitlines())
        reason = getattr(error, "msg", None) or f"cannot be read: {type(error).__name__}"
        return Comparison(certain=[Finding("syntax-error", "", min(line, last), str(reason))])
    try:
        before = None if change.before is None else parse(change.before, constants.before)
    except UNREADABLE:
        return Comparison(certain=list(_against_lines(change.before or b"", after, change.path)))
    is_test = is_test_path(change.path)
    own = own_functions(before.tree) if before else set()
    old = _watched(before, own, is_test) if before else []
    new = _watched(after, own, is_test)
    certain = [] if is_test else find_copied(before, after, expectations)
    if before is not None:
        certain += find_covered(before, after)
        certain += find_raised_limits(before, after)
    return Comparison(
        added=list(_added(old, new, before, after)),
        lost=list(find_losses(before, after, is_test)) if before else [],
        certain=certain,
        removed=_counts(old) - _counts(new),
        gained=gains(before, after, is_test),
    )


def _watched(module: Module, own: set[str], is_test: bool) -> list[Finding]:
    return [
        *find_reach(module, own, is_test),
        *find_skips(module),
        *find_swallowed(module),
        *find_silence(module),
        *find_exits(module),
        *find_rigged(module),
        *find_patched(module),
        *find_delays(module),
        *(() if is_test else find_detection(module)),
    ]


def _counts(findings: list[Finding]) -> Counter[tuple[str, str]]:
    return Counter((each.rule, each.key) for each in findings)


def _added(
    old: list[Finding], new: list[Finding], before: Module | None, after: Module
) -> Iterator[Finding]:
    excess = _counts(new) - _counts(old)
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
