"""Whether a person may decide about a run, as the repository's forge knows its people."""

from pathlib import Path

from temporalio import activity

from activities.artifact_store import get_bytes
from activities.git import git
from activities.workspace import private_folder
from regreen.contracts.reviewer import ReviewerAnswer, ReviewerQuestion


@activity.defn
async def check_reviewer(question: ReviewerQuestion) -> ReviewerAnswer:
    """Ask who may decide. A repository on this disk knows authors, but neither rights nor owners.

    What cannot be checked is refused.
    """
    if question.owners_of or await _patched(question):
        return ReviewerAnswer(
            refused="`approval.code_owners` needs a forge that knows accounts; this one is local"
        )
    if question.author_refused:
        shown = await git(
            ["show", "--no-patch", "--format=%an%n%ae%n%cn%n%ce", question.commit, "--"],
            cwd=Path(question.location),
        )
        authors = {line.casefold() for line in shown.decode("utf-8", "replace").splitlines()}
        if question.reviewer.casefold() in authors:
            return ReviewerAnswer(
                refused=f"{question.reviewer} made the commit, and `approval.author` is refused"
            )
    return ReviewerAnswer()


async def _patched(question: ReviewerQuestion) -> tuple[str, ...]:
    """The paths that the patches change, old names of renamed files included."""
    paths: list[str] = []
    with private_folder() as folder:
        for patch in question.owners_of_patched:
            listed = await git(
                ["apply", "--numstat", "-z", "-"], cwd=folder, data=await get_bytes(patch)
            )
            fields = listed.decode("utf-8", "surrogateescape").split("\0")
            paths += [field.split("\t")[-1] for field in fields if field]
    return tuple(dict.fromkeys(path for path in paths if path))
