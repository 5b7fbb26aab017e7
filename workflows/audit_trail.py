"""The recorder of a run's audit record: events are queued, and written in the background."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.audit import append_audit, seal_audit
    from regreen.contracts.artifacts import ArtifactRef
    from regreen.contracts.audit import (
        AuditAppend,
        AuditEvent,
        AuditHeader,
        AuditRecord,
        AuditSeal,
    )
    from regreen.contracts.run import PipelineRequest
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.failures import one_line

_LONGEST_TEXT = 300
_MOST_PARTS = 50
_BATCH = 12
_MOST_AT_ONCE = 200
_APPEND_SECONDS = 30.0
_SEAL_SECONDS = 60.0


class AuditTrail:
    """The audit record of one run, as far as it is written, and what is to follow."""

    def __init__(self, request: PipelineRequest) -> None:
        info = workflow.info()
        self._header = AuditHeader(
            repository=request.repository,
            commit=request.commit,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
        )
        self._unwritten: list[AuditEvent] = []
        self._head: ArtifactRef | None = None
        self._writing: asyncio.Task[None] | None = None
        self._ended: AuditRecord | None = None
        self._due = False

    @property
    def state(self) -> AuditRecord:
        """Where the record lies, as far as it is known to be written."""
        return self._ended or AuditRecord(record=self._head)

    def record(
        self, action: str, detail: str = "", *, actor: str = "regreen", **fields: JsonValue
    ) -> None:
        """Queue an event. The queue is written when it has grown, or with `flush`."""
        self._unwritten.append(
            AuditEvent(
                time=workflow.now().isoformat(),
                actor=_shortened(actor),
                action=action,
                detail=_shortened(detail),
                fields={name: _bounded(value) for name, value in fields.items()},
            )
        )
        if len(self._unwritten) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Begin to write what is queued. Nobody waits for it, and the order is kept."""
        self._due = True
        if self._ended is None and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write())

    async def seal(self) -> None:
        """Write what is left, seal and sign the record, or say why that could not be done.

        Takes no longer than a minute and a half, even where no publisher answers.
        """
        if len(self._unwritten) > _MOST_AT_ONCE:
            self.flush()
        if self._writing is not None and not self._writing.done():
            await workflow.wait([self._writing], timeout=_APPEND_SECONDS)
            self._writing.cancel()
        # What a write that did not end was to write is still here: nothing is lost, or twice.
        events = self._last_events()
        try:
            self._ended = await call(
                "publisher",
                seal_audit,
                AuditSeal(
                    header=self._header,
                    previous=self._head,
                    events=events,
                    sealed_at=workflow.now().isoformat(),
                ),
                summary=f"audit: {len(events)} events, seal and sign",
                timeout=_SEAL_SECONDS,
                within=_SEAL_SECONDS,
            )
        except ActivityError as error:
            problem = f"the audit record is not sealed: {one_line(error)}"
            self._ended = AuditRecord(record=self._head, problem=problem)

    def _last_events(self) -> tuple[AuditEvent, ...]:
        """What is left to write, as much of it as one call carries, and how the run ended."""
        left_out = len(self._unwritten) - _MOST_AT_ONCE
        if left_out <= 0:
            return tuple(self._unwritten)
        *events, ended = self._unwritten
        gap = AuditEvent(
            time=ended.time,
            actor="regreen",
            action="events-left-out",
            detail=f"{left_out} events could not be written",
            fields={"number": left_out},
        )
        return (*events[: _MOST_AT_ONCE - 1], gap, ended)

    async def _write(self) -> None:
        while self._due and self._unwritten:
            self._due = False
            events = tuple(self._unwritten[:_MOST_AT_ONCE])
            try:
                self._head = await call(
                    "publisher",
                    append_audit,
                    AuditAppend(header=self._header, previous=self._head, events=events),
                    summary=f"audit: {len(events)} events, last {events[-1].action}",
                    timeout=_APPEND_SECONDS,
                )
            except ActivityError as error:
                # They stay in the queue, and go with what is written next.
                workflow.logger.warning("audit: not written: %s", one_line(error))
                return
            del self._unwritten[: len(events)]
            self._due |= len(self._unwritten) >= _BATCH


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 2]} …"


def _bounded(value: JsonValue) -> JsonValue:
    """A value of limited size: whoever sends a review chooses what stands in it."""
    if isinstance(value, str):
        return _shortened(value)
    if isinstance(value, list):
        return [_bounded(each) for each in value[:_MOST_PARTS]]
    if isinstance(value, dict):
        return {name: _bounded(each) for name, each in value.items()}
    return value


ACTIVITIES: dict[Role, list[object]] = {"publisher": [append_audit, seal_audit]}
