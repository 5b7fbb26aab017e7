"""What the reconciler asks a forge: what happened that no webhook may have told."""

from regreen.contracts.base import Contract
from regreen.contracts.forge_event import ForgeEvent, Provider


class ReconcileRequest(Contract):
    """The repository that is asked about, again and again."""

    provider: Provider
    repository: str
    """As `ForgeEvent.repository`."""
    location: str
    """The clone URL."""


class MissedQuestion(Contract):
    """Asks for everything since a moment; what was told already is told again."""

    repository: str
    location: str
    since: str
    """By ISO 8601, with its zone."""


class MissedEvents(Contract):
    """What happened, oldest first."""

    events: tuple[ForgeEvent, ...] = ()


class Reconciled(Contract):
    """How many events were handed to the repository's workflow, new or not."""

    delivered: int = 0
