"""Whether a person may decide about a run, as the repository's forge knows its people."""

from temporalio import activity

from activities.forge import github_of
from activities.github_reviewer import github_refusal
from regreen.contracts.reviewer import ReviewerAnswer, ReviewerQuestion
from regreen.roles import Role


@activity.defn
async def check_reviewer(question: ReviewerQuestion) -> ReviewerAnswer:
    """Ask the forge about the person; for a local repository everybody may.

    Raises the ApplicationErrors of `activities.github_client.ask`.
    """
    name = await github_of(question.location, question.commit)
    if name is None:
        return ReviewerAnswer()
    return ReviewerAnswer(refused=await github_refusal(name, question, question.owners_of))


ACTIVITIES: dict[Role, list[object]] = {"publisher": [check_reviewer]}
