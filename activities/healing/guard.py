"""The guard: says, before anything runs, why a patch may not be tried.

A heal has to make the program right. The rules refuse patches that make the tests pass in another
way, or that reach beyond the program. `docs/guard.md` lists every rule. The functions are pure.
"""

from collections.abc import Mapping, Sequence

from activities.healing.guard_change import ChangedFile, extent
from activities.healing.guard_paths import check_path, is_python
from activities.healing.guard_python import check_python
from activities.healing.guard_text import check_text
from regreen.contracts.healing import Refusal

MOST_FILES = 10
MOST_LINES = 200
MOST_BYTES = 50_000


def guard(
    changes: Sequence[ChangedFile],
    *,
    expectations: Sequence[str] = (),
    open_paths: Mapping[str, str] | None = None,
) -> list[Refusal]:
    """Every reason for refusing a patch, ordered by path and line; empty when it may be tried.

    `changes` are the files that differ, and only those. `expectations` are the values that the
    failing assertions mention, as `guard_literals.expected_literals` finds them. `open_paths` maps
    glob patterns of protected paths to the reason why a heal may change them.
    """
    too_large = _check_size(changes)
    found = list(too_large)
    for change in changes:
        refused = check_path(change, open_paths or {})
        # A patch that is too large is not read: comparing it could take long.
        if not refused and not too_large:
            content = change.after or b""
            if is_python(change.path, change.before or content) or is_python(change.path, content):
                refused = check_python(change, expectations)
            else:
                refused = check_text(change)
        found += refused
    unique = {(each.path, each.line, each.rule, each.reason): each for each in found}
    return [unique[key] for key in sorted(unique)]


def _check_size(changes: Sequence[ChangedFile]) -> list[Refusal]:
    extents = [extent(change.before or b"", change.after or b"") for change in changes]
    amounts = (
        ("files", len(changes), MOST_FILES),
        ("changed lines", sum(each.lines for each in extents), MOST_LINES),
        ("changed bytes", sum(each.bytes for each in extents), MOST_BYTES),
    )
    return [
        Refusal(
            rule="patch-size",
            path=changes[0].path.encode("utf-8", "backslashreplace").decode(),
            line=0,
            reason=f"the patch has {amount:,} {what}; at most {limit:,} are allowed",
        )
        for what, amount, limit in amounts
        if amount > limit
    ]
