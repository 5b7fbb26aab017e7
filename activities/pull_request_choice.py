"""Which pull request shows a run's heals: one for each failure on a ref, on every forge."""

from collections.abc import Sequence

from regreen.contracts.pull_request import PullRequestContent, PullRequestRecord


def known_pull_request(
    records: Sequence[PullRequestRecord], content: PullRequestContent
) -> PullRequestRecord | None:
    """The run's own record, or else an open one of the same failure that no newer run has."""
    asking = run_of(content)
    for record in records:
        if run_of(record) == asking:
            return record
    wanted = set(signatures_of(content))
    for record in records:
        same = record.ref == content.source.ref and wanted.intersection(record.signatures)
        if same and record.state == "open" and asking not in record.superseded:
            return record
    return None


def signatures_of(content: PullRequestContent) -> tuple[str, ...]:
    """The failures that the heals mend."""
    return tuple(heal.signature for heal in content.heals if heal.signature)


def run_of(shown: PullRequestRecord | PullRequestContent) -> str:
    """The run that is shown, as `RUN RUN_ID`."""
    return f"{shown.run} {shown.run_id}"


def superseded_comment(old: PullRequestRecord, new: PullRequestRecord) -> tuple[str, str]:
    """Key and text of what the pull request says when a newer run takes it over."""
    moved = (
        ""
        if old.branch == new.branch
        else f" Branch {old.branch} is somebody's work now and stays as it is."
    )
    text = (
        f"Run `{new.run}` ({new.run_id}) heals the same failure at commit {new.base[:12]} and "
        f"supersedes run `{old.run}` ({old.run_id}). Everything above is the new run's, tree "
        f"{new.tree[:12]}. What is decided of the old run counts for its own tree "
        f"{old.tree[:12]} only.{moved}"
    )
    return f"superseded/{old.run_id}", text


def about_tree(text: str, told: str, shown: str) -> str:
    """The text of a comment, with a word on it when it is not about the tree that is shown now."""
    return (
        f"{text}\n\nThis is about tree {told[:12]}, which another run has superseded. It "
        f"says nothing about tree {shown[:12]}, which is shown here now."
    )
