"""A checklist of a release whose items are all met, for tests that are about something else."""

from regreen.contracts.checklist import ITEMS, Checklist, ChecklistItem, Evidence


def met_checklist(*changed: ChecklistItem) -> Checklist:
    """Every item met by a verdict, with signatures pending, but for the `changed` ones."""
    evidence = (Evidence(kind="verdict", name="a verdict", digest="0" * 64),)
    items = tuple(
        ChecklistItem(name=name, state="pending", detail="later")
        if name == "signatures"
        else ChecklistItem(name=name, state="met", detail="shown", evidence=evidence)
        for name in ITEMS
    )
    checklist = Checklist(
        repository="example/shop", commit="c" * 40, tree="a" * 40, version="1.0.0", items=items
    )
    for item in changed:
        checklist = checklist.replaced(item)
    return checklist
