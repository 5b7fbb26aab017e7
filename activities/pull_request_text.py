"""What a pull request says: what failed, what was changed and why, and the evidence."""

from collections.abc import Sequence

from activities.healing.redaction import redact
from activities.reproduction import reproduction
from regreen.contracts.healing import Attempt, Heal, TestCounts
from regreen.contracts.pull_request import PullRequestContent
from regreen.markdown import block, cell, code, prose

LIMIT = 65_536
"""Characters that a forge takes."""
_ROWS = 15
_SHORT = 200
_SHORTEST_DIFF = 2_000


def pull_request_title(content: PullRequestContent) -> str:
    """One line for lists."""
    stages = ", ".join(heal.stage for heal in content.heals)
    return f"Heal the {stages} tests of {content.source.commit[:12]}"


def heal_commit_message(content: PullRequestContent, heal: Heal) -> str:
    """A conventional commit of type fix."""
    tests = "\n".join(f"- {node_id}" for node_id in heal.failing)
    return (
        f"fix: heal the {heal.stage} tests\n\n{heal.explanation}\n\n"
        f"Red before, green after:\n{tests}\n\nRegreen-Run: {content.run}\n"
    )


def pull_request_body(
    content: PullRequestContent, patches: Sequence[str], *, limit: int = LIMIT
) -> str:
    """Markdown of at most `limit` characters; `patches` are the heals' diffs in order.

    Text of the repository and of the model is shown and never obeyed. A diff that is too long is
    cut, with a word on where the whole of it is.
    """
    without = sum(len(part) + 2 for part in _parts(content, [""] * len(patches)))
    room = max(_SHORTEST_DIFF, (limit - without) // max(1, len(patches)) - 500)
    shown = [_cut(content, heal, patch, room) for heal, patch in _pairs(content, patches)]
    text = ""
    for part in _parts(content, shown):
        if len(text) + len(part) > limit - _SHORT:
            return f"{text}Cut here. `regreen show {content.run}` tells the rest.\n"
        text += f"{part}\n\n"
    return f"{text.rstrip()}\n"


def _pairs(content: PullRequestContent, patches: Sequence[str]) -> list[tuple[Heal, str]]:
    return list(zip(content.heals, patches, strict=True))


def _parts(content: PullRequestContent, diffs: Sequence[str]) -> list[str]:
    parts = []
    for heal, diff in _pairs(content, diffs):
        parts += [f"## {heal.stage}", prose(heal.explanation), _upstream(heal)]
        parts += [_failures(heal), diff, _opened(heal), _evidence(heal)]
        parts += [_proposer(heal), _attempts(heal)]
        parts.append(reproduction(content, heal))
    parts.append(_quarantine(content))
    source = content.source
    which = f" ({code(content.run_id)})" if content.run_id else ""
    run = f"{code(content.run, 500)}{which}"
    parts.append(f"Run {run} on {code(source.ref)}, commit {source.commit}.")
    return [part for part in parts if part]


def _upstream(heal: Heal) -> str:
    if heal.evidence is None or not heal.evidence.triage.upstream:
        return ""
    triage = heal.evidence.triage
    which = "These" if len(triage.upstream) == len(triage.failing) else "Some of the"
    names = ", ".join(code(name) for name in triage.upstream[:_ROWS])
    return f"**Upstream.** {which} tests were red on the parent commit {triage.parent}: {names}."


def _failures(heal: Heal) -> str:
    rows = ["| test | failed with | before | after |", "|---|---|---|---|"]
    told = {each.node_id: each for each in heal.evidence.failures} if heal.evidence else {}
    for node_id in heal.failing[:_ROWS]:
        failure = told.get(node_id)
        message = redact(failure.message) if failure else ""
        if failure and failure.exception and not message.startswith(failure.exception):
            message = f"{failure.exception}: {message}"
        rows.append(
            f"| {cell(code(node_id))} | {cell(code(message)) if message else ''} | red | green |"
        )
    more = len(heal.failing) - _ROWS
    return "\n".join([*rows, *([f"\nAnd {more} more."] if more > 0 else [])])


def _cut(content: PullRequestContent, heal: Heal, patch: str, room: int) -> str:
    if len(patch) <= room:
        return block(patch, "diff")
    kept = patch[:room].rpartition("\n")[0]
    left = patch.count("\n") - kept.count("\n")
    return (
        f"{block(kept, 'diff')}\n\nThe diff is cut: {left} lines more. The whole of it is branch "
        f"{code(content.branch)}, artifact {code(heal.patch.name)} with SHA-256 "
        f"{heal.patch.sha256}, and `regreen show {content.run}`."
    )


def _opened(heal: Heal) -> str:
    """What the patch changes only because the policy opens it."""
    if not heal.opened:
        return ""
    lines = [
        f"- {code(each.rule)} at {code(each.path)}: {prose(each.reason, 400)}"
        for each in heal.opened[:_ROWS]
    ]
    return "\n".join(["Opened by the policy in `regreen.yaml`:", "", *lines])


def _evidence(heal: Heal) -> str:
    if heal.evidence is None:
        return ""
    evidence = heal.evidence
    rows = [
        "### Evidence",
        "",
        f"- Before: {_counts(evidence.before)} in the whole stage.",
        *(
            f"- Triage, {prose(each.check)}, {_times(each.runs)}: {prose(each.result, 400)}."
            for each in evidence.triage.evidence
        ),
        f"- After: {_counts(evidence.after)} in the whole stage. Verified: "
        f"{prose(evidence.verified, 400)}.",
    ]
    return "\n".join(rows)


def _times(runs: int) -> str:
    return {0: "not run", 1: "run once"}.get(runs, f"run {runs} times")


def _counts(counts: TestCounts) -> str:
    skipped = f", {counts.skipped} skipped" if counts.skipped else ""
    return f"{counts.failed} red, {counts.passed} green{skipped} of {counts.total}"


def _proposer(heal: Heal) -> str:
    cost = f"{heal.tokens:,} tokens, {heal.cost_usd:.4f} USD"
    attempts = "attempt" if heal.attempts == 1 else "attempts"
    return (
        f"Proposed by the {heal.healer} healer, attempt {heal.attempts}. "
        f"{heal.attempts} {attempts} in all: {cost}."
    )


def _attempts(heal: Heal) -> str:
    if heal.evidence is None:
        return ""
    head = "| attempt | healer | verdict | reason | tokens | USD | seconds |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *map(_row, heal.evidence.attempts)])


def _row(attempt: Attempt) -> str:
    reason = cell(prose(attempt.reason, 300))
    return (
        f"| {attempt.number} | {attempt.healer} | {attempt.verdict} | {reason} | "
        f"{attempt.tokens:,} | {attempt.cost_usd:.4f} | {attempt.seconds:.1f} |"
    )


def _quarantine(content: PullRequestContent) -> str:
    names = [(stage, name) for stage, names in content.quarantined.items() for name in names]
    if not names:
        return ""
    shown = [f"- {stage}: {code(name)}" for stage, name in names[:_ROWS]]
    more = len(names) - _ROWS
    why = "Their failures were left aside, since they pass and fail with the same code:"
    rest = [f"- and {more} more"] if more > 0 else []
    return "\n".join(["## Quarantined as flaky", "", why, "", *shown, *rest])
