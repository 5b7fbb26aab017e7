"""The checklist of a release: what has to be so before it is published, and what shows that it is.

`checklist.json` in a release folder is a `Checklist`.
"""

from typing import Literal, get_args

from pydantic import Field

from regreen.contracts.base import Contract

ItemName = Literal[
    "tests",
    "coverage",
    "vulnerabilities",
    "sbom",
    "signatures",
    "changelog",
    "documentation",
    "migration",
    "rollback",
    "approval",
]

ITEMS: tuple[ItemName, ...] = get_args(ItemName)

ItemState = Literal["met", "unmet", "pending", "off", "unneeded"]
"""`pending`: its evidence comes later in the run; `unneeded`: it does not apply to this release."""


class Evidence(Contract):
    """One thing that shows that an item is met, by digest."""

    kind: Literal["file", "artifact", "verdict", "document", "tree", "review"]
    """`file`: of the release folder; `artifact`: in the artifact store; `document`: in the released
    tree; `verdict` and `review`: what the run's history tells, as JSON."""
    name: str
    digest: str = Field(pattern="^[0-9a-f]{40,64}$")
    """SHA-256 of the bytes; of a `tree` git's hash."""


class ChecklistItem(Contract):
    """One line of the checklist."""

    name: ItemName
    state: ItemState
    detail: str
    """In one line: what was found, what is missing, or the reason why it is off."""
    evidence: tuple[Evidence, ...] = ()


class Checklist(Contract):
    """All items, and which release they are about."""

    repository: str = ""
    commit: str = ""
    tree: str = ""
    """Git's hash of the tree that is released, with heals."""
    version: str = ""
    items: tuple[ChecklistItem, ...] = ()

    @property
    def unmet(self) -> str:
        """Why nothing may be published, with the way out, in one line; empty when it may."""
        open_items = [item for item in self.items if item.state == "unmet"]
        if not open_items:
            return ""
        first, *others = open_items
        more = f" (also unmet: {', '.join(item.name for item in others)})" if others else ""
        return (
            f"checklist: {first.name}: {first.detail}; mend that, or give a reason under "
            f"`release.checklist.off.{first.name}` in regreen.yaml{more}"
        )

    @property
    def incomplete(self) -> str:
        """As `unmet`, or what else keeps the release back, once nothing more is to come."""
        if self.unmet:
            return self.unmet
        names = [item.name for item in self.items]
        for name in ITEMS:
            if names.count(name) != 1:
                return f"checklist: has the item {name} {names.count(name)} times"
        waiting = [item.name for item in self.items if item.state == "pending"]
        return f"checklist: {waiting[0]}: its evidence never came" if waiting else ""

    def replaced(self, changed: ChecklistItem) -> "Checklist":
        """The checklist with another item of that name."""
        items = tuple(changed if item.name == changed.name else item for item in self.items)
        return self.model_copy(update={"items": items})

    def item(self, name: ItemName) -> ChecklistItem | None:
        """The item of that name; None when there is no such item."""
        return next((item for item in self.items if item.name == name), None)
