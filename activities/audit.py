"""The audit record of a run: who decided what, when; one line of JSON an event, never twice."""

import json
import os

from temporalio import activity

from activities.file_lock import file_lock
from regreen.contracts.base import Contract
from regreen.settings import load_settings


class AuditEvent(Contract):
    """Something a person decided or was told."""

    repository: str
    commit: str
    key: str
    """Events with the same key are written once."""
    time: str
    """ISO 8601, from the workflow's clock."""
    actor: str
    action: str
    detail: str = ""


@activity.defn
async def record_audit_event(event: AuditEvent) -> None:
    """Append the event to `<state>/audit/<repository>/<commit>.jsonl`."""
    folder = load_settings().state.resolve() / "audit" / event.repository
    path = folder / f"{event.commit}.jsonl"
    async with file_lock(folder / "lock", "audit"):
        # A crash can leave half a line; it is ended here so that the next one stays readable.
        lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
        for line in lines:
            whole = line.startswith(b"{") and line.endswith(b"}")
            if whole and json.loads(line)["key"] == event.key:
                return
        with path.open("ab") as file:
            file.write((b"\n" if lines[-1] else b"") + event.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
