"""Pull requests on the forge that the repository is on."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import github_forge, local_forge
from activities.forge import github_of, github_repository
from regreen.contracts.pull_request import Comment, PullRequestContent, PullRequestDecision
from regreen.contracts.run import PullRequest
from regreen.settings import load_settings


@activity.defn
async def publish_pull_request(content: PullRequestContent) -> PullRequest:
    """Put the heals on a branch, a commit each, and open or update the pull request of the failure.

    A pull request that is open for the same failure on the same ref is taken over in place, with
    its number and its branch. One that is decided, or that shows a newer run, is left alone.
    Raises ApplicationErrors: `ForgeUnsupported` for a repository that is on no forge known here,
    `BranchRefused` for a branch that is not Regreen's, and those of `activities.github_client.ask`.
    """
    name = await github_of(content.source.location, content.source.commit)
    if name is None:
        return await local_forge.publish(content)
    return await github_forge.publish(name, content)


@activity.defn
async def comment_on_pull_request(comment: Comment) -> None:
    """Add a comment; the same key of the same run's heals twice adds one."""
    name = _on_github(comment.pull_request)
    if name is None:
        await local_forge.comment(comment)
    else:
        await github_forge.comment(name, comment)


@activity.defn
async def decide_pull_request(decision: PullRequestDecision) -> None:
    """Record an approval or rejection on the pull request.

    A decision about heals that another run's have superseded is told there and decides nothing.
    """
    name = _on_github(decision.pull_request)
    if name is None:
        await local_forge.decide(decision)
    else:
        await github_forge.decide(name, decision)


def _on_github(pull_request: PullRequest) -> str | None:
    """The repository of a pull request whose page is on GitHub; a local one's is a file."""
    if pull_request.url.startswith("file:"):
        return None
    name = github_repository(pull_request.url, load_settings())
    if name is None:
        raise ApplicationError(
            f"{pull_request.url} is not below GITHUB_SERVER_URL",
            type="ForgeUnsupported",
            non_retryable=True,
        )
    return name
