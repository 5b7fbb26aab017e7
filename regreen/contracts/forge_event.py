"""What a forge tells of a repository: a webhook's delivery, or what the reconciler finds."""

from typing import Literal

from pydantic import Field

from regreen.contracts.base import Contract

Provider = Literal["github", "gitlab", "bitbucket", "azure"]
EventKind = Literal["push", "pull_request", "review", "command", "check", "merge"]
CommandName = Literal["approve", "reject", "retry", "cancel", "heal"]


class ForgeEvent(Contract):
    """One thing that happened, cut down to what is acted on. Never the text of a change."""

    provider: Provider
    repository: str
    """`owner/name`; groups of GitLab and projects of Azure are joined by slashes before it."""
    identity: str = Field(min_length=1)
    """Names what happened, the same however often and by whatever way it is told, such as
    `push/COMMIT/REF`, `review/ID`, `comment/ID`. What has the same identity is acted on once."""
    delivery_id: str
    """The provider's id of the delivery, for the correlation of logs."""
    kind: EventKind
    actor: str = ""
    """Account of the person who did it."""
    location: str = ""
    """The repository's clone URL."""
    ref: str = ""
    """Branch or tag that was pushed, or the branch that a pull request comes from."""
    commit: str = Field(default="", pattern="^([0-9a-f]{40}([0-9a-f]{24})?)?$")
    """What was pushed, the head of the pull request, or the commit that a merge made."""
    base: str = ""
    """The branch that a pull request goes to."""
    pull_request: int | None = None
    decision: Literal["approve", "reject", "comment"] = "comment"
    """Of a review."""
    command: CommandName | None = None
    """Of a comment `/regreen COMMAND`."""
    comment: str = Field(default="", max_length=2000)
    """What the person wrote beside the decision or the command."""
