"""The section of the approval."""

from typing import Literal

from pydantic import Field

from regreen.pipeline_file.section import Section
from regreen.pipeline_file.values import Duration


class ApprovalSection(Section):
    """When a person must approve, and for how long the run waits."""

    required: Literal["healed", "always", "never"] = "healed"
    """`healed`: only when a heal changed the tree."""
    reminder: Duration = 86400.0
    """Time between reminders."""
    expires: Duration = 7 * 86400.0
    """After this long without a decision the run ends as `expired`."""
    approvals: int = Field(default=1, ge=1, le=10)
    """How many different people must approve."""
    author: Literal["allowed", "refused"] = "allowed"
    """Whether the author of the commit may decide about its run."""
    code_owners: bool = False
    """Whether only the code owners of all that the heals changed may decide."""
    moved_base: Literal["keep", "cancel", "rebase"] = "keep"
    """What a new commit on the ref does to a run that waits: nothing, it ends as `cancelled`, or
    its heals are put on the new commit and everything is verified again."""
