"""What was found on a publish target after it was written, or taken back."""

from regreen.contracts.base import Contract


class PublishedFile(Contract):
    """One file as a target holds it."""

    name: str
    sha256: str


class TargetReceipt(Contract):
    """A release as it was found on a target after it was written."""

    target: str
    address: str
    """Where users fetch it."""
    files: tuple[PublishedFile, ...]
    adopted: bool
    """It was there already, complete, with the same bytes."""


class TakenBack(Contract):
    """What taking a release back from a target came to."""

    target: str
    done: str
    """In one line: what was removed, yanked or marked."""
    left: tuple[str, ...] = ()
    """What users can still fetch."""
