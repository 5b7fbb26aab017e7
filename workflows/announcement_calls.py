"""What AnnouncementWorkflow asks of the publisher, whose services may be away for hours."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.announcement_places import find_announcement_places
    from activities.announcements import send_announcement
    from activities.forge_check import report_stage_on_forge
    from activities.run_alerts import judge_run_alerts
    from activities.run_status import RunQuestion, is_run_open
    from regreen.contracts.announcement import (
        Alert,
        Announcement,
        AnnouncementPlaces,
        EndedRun,
        PlacedAnnouncement,
        PlacesQuestion,
    )
    from regreen.contracts.forge_check import StageOnForge
    from regreen.roles import Role
    from workflows.calls import PATIENT, call

DAY = 86_400.0
"""Seconds after which what was tried all the time is given up."""
TRY = 60.0
"""Seconds that one try may take."""


async def find_places(repository: str) -> AnnouncementPlaces:
    """Who is told of the repository's runs."""
    return await call(
        "publisher",
        find_announcement_places,
        PlacesQuestion(repository=repository),
        summary="who is told",
        timeout=TRY,
        within=DAY,
        retry=PATIENT,
    )


async def goes_on(run: str, run_id: str) -> bool:
    """Whether a run has not ended, in whatever way."""
    return await call(
        "publisher",
        is_run_open,
        RunQuestion(run=run, run_id=run_id),
        summary=f"does {run} go on",
        timeout=TRY,
        within=DAY,
        retry=PATIENT,
    )


async def find_alerts(ended: Announcement) -> tuple[Announcement, ...]:
    """The alerts that the end of a run raises or resolves."""
    found = await call(
        "publisher",
        judge_run_alerts,
        EndedRun.model_validate(
            {
                "run": ended.run,
                "run_id": ended.run_id,
                "repository": ended.repository,
                "state": ended.kind,
                "heal_attempts": ended.attempts,
                "seconds": ended.seconds,
            }
        ),
        summary=f"figures of {ended.repository}",
        timeout=TRY,
        within=DAY,
        retry=PATIENT,
    )
    return tuple(_announced(alert, ended) for alert in found.alerts)


async def send(place: str, announcement: Announcement, within: float) -> None:
    """Tell a place, with `within` seconds for all tries."""
    await call(
        "publisher",
        send_announcement,
        PlacedAnnouncement(place=place, announcement=announcement),
        summary=f"{place}: {announcement.kind}",
        timeout=TRY,
        within=within,
        retry=PATIENT,
    )


async def show_check(location: str, announcement: Announcement, within: float) -> None:
    """Show a stage as a check on the commit, with `within` seconds for all tries."""
    assert announcement.state is not None
    await call(
        "publisher",
        report_stage_on_forge,
        StageOnForge(
            repository=announcement.repository,
            location=location,
            commit=announcement.commit,
            run=announcement.run,
            run_id=announcement.run_id,
            stage=announcement.stage,
            state=announcement.state,
            summary=announcement.summary,
            annotations=announcement.remarks,
        ),
        summary=f"github: {announcement.stage} {announcement.state}",
        timeout=TRY,
        within=within,
        retry=PATIENT,
    )


def _announced(alert: Alert, ended: Announcement) -> Announcement:
    return Announcement(
        key=f"{ended.run_id}/{alert.metric}/{alert.crossed}",
        kind="alert" if alert.crossed else "resolved",
        colour="red" if alert.crossed else "green",
        repository=ended.repository,
        ref=ended.ref,
        commit=ended.commit,
        run=ended.run,
        run_id=ended.run_id,
        reason=alert.text,
    )


ACTIVITIES: dict[Role, list[object]] = {
    "publisher": [
        find_announcement_places,
        send_announcement,
        report_stage_on_forge,
        judge_run_alerts,
        is_run_open,
    ],
}
