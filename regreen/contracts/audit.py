"""The audit record of a run: what happened, who did it, and where the record lies."""

from pydantic import Field, JsonValue, field_validator

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract

CHAIN_FIELDS = frozenset({"sequence", "time", "actor", "action", "detail", "previous"})
"""What every line of a record has; an event's own fields have other names."""


class AuditHeader(Contract):
    """The first line of a record: the run that it is about."""

    repository: str
    commit: str
    workflow_id: str
    run_id: str


class AuditEvent(Contract):
    """Something that happened in a run. No secret, no source text, nothing of a log."""

    time: str
    """ISO 8601, from the workflow's clock."""
    actor: str
    """`regreen`, a person or a healer."""
    action: str
    """What was done, in the past tense: `stage-ended`. `docs/audit.md` lists them."""
    detail: str = ""
    """One line for a person."""
    fields: dict[str, JsonValue] = Field(default_factory=dict)
    """What the action is about: names, states, digests, figures."""

    @field_validator("fields")
    @classmethod
    def _leave_the_chain_alone(cls, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        taken = CHAIN_FIELDS & fields.keys()
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))}: every line has its own")
        return fields


class AuditAppend(Contract):
    """Events that follow those of a record. Equal requests make the same record, to the byte."""

    header: AuditHeader
    previous: ArtifactRef | None = None
    """The record so far; None when it begins here."""
    events: tuple[AuditEvent, ...] = ()


class AuditSeal(AuditAppend):
    """The last events of a run."""

    sealed_at: str
    """ISO 8601, from the workflow's clock."""


class AuditRecord(Contract):
    """Where a run's audit record lies, and what vouches for it."""

    record: ArtifactRef | None = None
    """All lines so far; None before the first were written."""
    sealed: bool = False
    """The run has ended, and nothing follows."""
    bundle: ArtifactRef | None = None
    """cosign's signature of the record; None when it has none."""
    public_key: ArtifactRef | None = None
    """The key that verifies it."""
    unsigned: str = ""
    """Why a sealed record is not signed; empty when it is."""
    problem: str = ""
    """Why an ended run's record is not sealed; empty when it is, or the run goes on."""


class AuditVerification(Contract):
    """What was found of a record, offline."""

    ok: bool
    sealed: bool = False
    """Its last line is the seal."""
    signed: bool = False
    """cosign accepts its signature."""
    pinned: bool = False
    """The key was known beforehand. Otherwise the record is whole, and anyone may have made it."""
    lines: int
    """How many it has, the first one with them."""
    broken_line: int = 0
    """The first line that is not what it was; 0 when there is none."""
    summary: str
    """One line for a person."""
