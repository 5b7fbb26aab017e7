"""What a pull request says: what failed, what was changed and why, and the evidence."""

import re
from collections.abc import Sequence

from regreen.contracts.healing import Heal
from regreen.contracts.pull_request import PullRequestContent


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


def pull_request_body(content: PullRequestContent, patches: Sequence[str]) -> str:
    """Markdown; `patches` are the heals' diffs in order."""
    parts = []
    for heal, patch in zip(content.heals, patches, strict=True):
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", patch)), default=0))
        tests = "\n".join(f"| `{node_id}` | red | green |" for node_id in heal.failing)
        cost = f"{heal.tokens:,} tokens, {heal.cost_usd:.4f} USD"
        parts.append(
            f"## {heal.stage}\n\n{heal.explanation}\n\n"
            f"{fence}diff\n{patch.rstrip()}\n{fence}\n\n"
            f"| test | before | after |\n|---|---|---|\n{tests}\n\n"
            f"{_opened(heal)}"
            f"Proposed by the {heal.healer} healer, attempt {heal.attempts}; {cost}.\n\n"
            f"Run them: `git checkout {content.branch} && python -m pytest "
            f"{' '.join(repr(node_id) for node_id in heal.failing[:5])}`\n"
        )
    parts.append(f"Run `{content.run}` on {content.source.ref} ({content.source.commit[:12]}).\n")
    return "\n".join(parts)


def _opened(heal: Heal) -> str:
    """What the patch changes only because the policy opens it; empty when there is nothing."""
    lines = [f"- `{each.rule}` at `{each.path}`: {each.reason}\n" for each in heal.opened]
    return "".join(["Opened by the policy in `regreen.yaml`:\n\n", *lines, "\n"]) if lines else ""
