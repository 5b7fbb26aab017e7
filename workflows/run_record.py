"""What a run writes into its audit record."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditEvent, record_audit_event
    from workflows.calls import call
    from workflows.line import Line


async def record(line: Line, key: str, actor: str, action: str, detail: str) -> None:
    """Write one event; the same key of the same run is written once."""
    await call(
        "publisher",
        record_audit_event,
        AuditEvent(
            repository=line.request.repository,
            commit=line.request.commit,
            key=f"{workflow.info().run_id}/{key}",
            time=workflow.now().isoformat(),
            actor=actor,
            action=action,
            detail=detail,
        ),
        summary=f"audit: {action} by {actor}",
        timeout=60,
    )
