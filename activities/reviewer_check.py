"""Whether a person may decide about a run, as the repository's forge knows its people."""

from temporalio import activity

from activities.forge import github_of
from activities.github_reviewer import github_refusal
from activities.local_reviewer import local_refusal
from activities.patched_paths import patched_paths
from regreen.contracts.reviewer import ReviewerAnswer, ReviewerQuestion


@activity.defn
async def check_reviewer(question: ReviewerQuestion) -> ReviewerAnswer:
    """Ask the forge about the person. What cannot be found out refuses.

    Raises the ApplicationErrors of `activities.github_client.ask`.
    """
    name = await github_of(question.location, question.commit)
    paths = (*question.owners_of, *await patched_paths(question.owners_of_patched))
    if name is None:
        return ReviewerAnswer(refused=await local_refusal(question, paths))
    return ReviewerAnswer(refused=await github_refusal(name, question, paths))
