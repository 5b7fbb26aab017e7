"""The guard: says, before anything runs, why a patch may not be tried.

A heal has to make the program right. The rules refuse patches that make the tests pass in another
way, or that reach beyond the program. `docs/guard.md` lists every rule. The functions are pure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from activities.healing.guard_change import ChangedFile, extent
from activities.healing.guard_disguise import check_disguise
from activities.healing.guard_languages import check_source, is_source
from activities.healing.guard_module import Finding
from activities.healing.guard_paths import check_path, is_python
from activities.healing.guard_policy import Policy, apply_policy
from activities.healing.guard_python import Comparison, compare_python, constants_of_patch
from activities.healing.guard_text import check_text
from regreen.contracts.healing import GuardVerdict, Refusal

MOST_FILES = 10
MOST_LINES = 200
MOST_BYTES = 50_000


def guard(
    changes: Sequence[ChangedFile],
    *,
    expectations: Sequence[str] = (),
    open_paths: Mapping[str, str] | None = None,
    open_rules: Mapping[str, str] | None = None,
) -> GuardVerdict:
    """Every reason for refusing a patch, ordered by path and line; none when it may be tried.

    `changes` are the files that differ, and only those. `expectations` are the values that the
    failing tests mention, as `guard_literals.expected_literals` finds them. `open_paths` maps glob
    patterns of protected paths, and `open_rules` names of rules, to the reason why a heal may go
    there. What of them the patch needed comes back in the verdict.
    """
    policy = Policy(open_paths or {}, open_rules or {})
    found = _check_size(changes)
    # A patch that is too large is not read: comparing it could take long.
    is_small = not found
    readable: list[ChangedFile] = []
    for change in changes:
        refused = check_path(change)
        found += refused
        if is_small and all(policy.opening(each) for each in refused):
            readable.append(change)
    python_files = [change for change in readable if _is_python(change)]
    constants = constants_of_patch(python_files)
    comparisons: dict[str, Comparison] = {}
    for change in readable:
        python = change in python_files
        found += check_disguise(change, python or is_source(change.path), python)
        if python:
            comparisons[change.path] = compare_python(change, expectations, constants)
        elif is_source(change.path):
            found += check_source(change, expectations)
        else:
            found += check_text(change)
    found += _across_files(comparisons)
    unique = {(each.path, each.line, each.rule, each.reason): each for each in found}
    return apply_policy([unique[key] for key in sorted(unique)], policy)


def _is_python(change: ChangedFile) -> bool:
    content = change.after or b""
    return is_python(change.path, change.before or content) or is_python(change.path, content)


def _across_files(comparisons: Mapping[str, Comparison]) -> list[Refusal]:
    """Findings of all files, without what one file lost and another one gained."""
    found: list[Refusal] = []
    removed, gained = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for comparison in comparisons.values():
        removed += comparison.removed
        gained += comparison.gained
    for path, comparison in comparisons.items():
        findings: list[Finding] = list(comparison.certain)
        for group, moved in ((comparison.added, removed), (comparison.lost, gained)):
            for each in group:
                if moved[each.rule, each.key] > 0:
                    moved[each.rule, each.key] -= 1
                else:
                    findings.append(each)
        found += [
            Refusal(rule=each.rule, path=path, line=each.line, reason=each.reason)
            for each in findings
        ]
    return found


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
