"""Who may decide without a forge that could be asked about people.

A repository on this disk knows authors, but neither rights nor owners. One elsewhere knows nobody.
What cannot be checked is refused.
"""

from pathlib import Path

from activities.git import git
from regreen.contracts.reviewer import ReviewerQuestion


async def local_refusal(question: ReviewerQuestion, paths: tuple[str, ...]) -> str:
    """Why the person may not decide; `paths` are those whose owners alone may."""
    if not Path(question.location).is_dir():
        return f"nobody can be asked who may write to {question.repository}: no credentials for it"
    if paths:
        return "`approval.code_owners` needs a forge that knows accounts; this one is local"
    if not question.author_refused:
        return ""
    shown = await git(
        ["show", "--no-patch", "--format=%an%n%ae%n%cn%n%ce", question.commit, "--"],
        cwd=Path(question.location),
    )
    authors = {line.casefold() for line in shown.decode("utf-8", "replace").splitlines()}
    if question.reviewer.casefold() in authors:
        return f"{question.reviewer} made the commit, and `approval.author` is refused"
    return ""
