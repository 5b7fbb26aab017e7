"""ReconcileWorkflow: ask the forge what happened, and hand over what no webhook told."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.event_delivery import deliver_events
    from activities.missed_deliveries import missed_deliveries
    from regreen.contracts.reconciliation import (
        MissedQuestion,
        Reconciled,
        ReconcileRequest,
    )
    from regreen.roles import Role
    from workflows.calls import call

# Longer than an outage over night, shorter than what a repository's workflow remembers.
_LOOKED_BACK = timedelta(days=1)


@workflow.defn
class ReconcileWorkflow:
    """One look at a repository; a schedule repeats it."""

    @workflow.run
    async def run(self, request: ReconcileRequest) -> Reconciled:
        """Hand over everything of the last day; what is known already is acted on once."""
        since = workflow.now() - _LOOKED_BACK
        missed = await call(
            "publisher",
            missed_deliveries,
            MissedQuestion(
                repository=request.repository,
                location=request.location,
                since=since.isoformat(timespec="seconds"),
            ),
            summary=f"{request.provider}: what happened in {request.repository}",
            within=900,
        )
        return await call(
            "publisher",
            deliver_events,
            missed,
            summary=f"deliver {len(missed.events)} events",
            within=900,
        )


WORKFLOWS = [ReconcileWorkflow]
ACTIVITIES: dict[Role, list[object]] = {"publisher": [deliver_events, missed_deliveries]}
