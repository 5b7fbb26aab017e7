"""What is done about an event of a repository: start, steer or cancel a run."""

import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import TemporalError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.event_selection import select_event
    from activities.find_runs import find_runs
    from activities.reviewer_check import check_reviewer
    from regreen.contracts.forge_event import ForgeEvent
    from regreen.contracts.repository import EventSelection, FoundRun, RunQuestion
    from regreen.contracts.reviewer import ReviewerQuestion
    from regreen.contracts.run import BaseMoved, Merge, PipelineRequest, Review
    from regreen.roles import Role, task_queue
    from workflows.calls import call
    from workflows.pipeline import PipelineWorkflow
    from workflows.repository_memory import RepositoryMemory
    from workflows.run_start import first_attributes, static_details, static_summary, workflow_id

_FETCHING = 3600.0
_TOLD_TOGETHER = timedelta(seconds=15)


async def act(event: ForgeEvent, memory: RepositoryMemory) -> str:
    """Do what the event asks for; returns in one line what that was."""
    match event.kind:
        case "push":
            return await _push(event, memory)
        case "pull_request":
            memory.note_pull_request(event)
            return await _start_selected(event)
        case "check":
            return await _again(_request(event, event.ref, event.commit))
        case "review":
            return await _review(event)
        case "merge":
            return await _merge(event, memory)
        case "command":
            if event.command in ("approve", "reject"):
                return await _review(event)
            return await _command(event, memory)


async def _push(event: ForgeEvent, memory: RepositoryMemory) -> str:
    question = RunQuestion(repository=event.repository, ref=event.ref)
    runs = [run for run in await _found(question) if run.commit != event.commit]
    merged = await _merged(event.commit, memory) if runs else memory.merged(event.commit)
    told = [run for run in runs if run.workflow_id != merged]
    for run in told:
        await _signal(run.workflow_id, "base_moved", BaseMoved(commit=event.commit))
    moved = f"; told to {len(told)} with heals" if told else ""
    if merged is not None:
        return f"{merged} goes on with it{moved}"
    return await _start_selected(event) + moved


async def _merged(commit: str, memory: RepositoryMemory) -> str | None:
    """The run whose heals the push merged, which the forge tells a moment before or after it."""
    with contextlib.suppress(TimeoutError):
        await workflow.wait_condition(
            lambda: memory.merged(commit) is not None,
            timeout=_TOLD_TOGETHER,
            timeout_summary=f"is {commit[:12]} a merge of heals",
        )
    return memory.merged(commit)


async def _start_selected(event: ForgeEvent) -> str:
    selected = await call(
        "publisher",
        select_event,
        EventSelection(
            repository=event.repository,
            location=event.location,
            commit=event.commit,
            event="pull_request" if event.kind == "pull_request" else "push",
            ref=event.ref,
            base=event.base,
        ),
        summary=f"git: does {event.commit[:12]} select a {event.kind}",
        timeout=120,
        within=_FETCHING,
    )
    if selected.refused:
        return f"starts nothing: {selected.refused}"
    request = _request(event, event.ref, event.commit)
    started = await _start(request, again=False)
    return f"{'started' if started else 'has its run already:'} {workflow_id(request)}"


async def _review(event: ForgeEvent) -> str:
    run = await _run_of(event)
    if run is None:
        return f"no run has #{event.pull_request}"
    if run.ended:
        return f"{run.workflow_id} has ended already"
    command = event.kind == "command"
    review = Review(
        reviewer=event.actor,
        decision="reject" if event.command == "reject" else "approve",
        comment=event.comment,
        source="webhook",
        delivery_id=event.identity,
        # A comment is about the pull request, a review about the commit that was read.
        commit=event.commit if event.identity.startswith("review/") else "",
    )
    if not command:
        review = review.model_copy(update={"decision": event.decision})
    told = await _signal(run.workflow_id, "review", review)
    return f"{review.decision}: {told}"


async def _merge(event: ForgeEvent, memory: RepositoryMemory) -> str:
    run = await _run_of(event)
    if run is None:
        return f"#{event.pull_request} is no heal pull request"
    if run.ended:
        return f"{run.workflow_id} has ended already"
    memory.note_merged(event.commit, run.workflow_id)
    merge = Merge(commit=event.commit, merged_by=event.actor, delivery_id=event.identity)
    return f"merged: {await _signal(run.workflow_id, 'merged', merge)}"


async def _command(event: ForgeEvent, memory: RepositoryMemory) -> str:
    run = await _run_of(event)
    known = memory.pull_request(event.pull_request)
    if run is not None:
        about = _request(event, run.ref, run.commit)
    elif known is not None:
        about = _request(event, known.ref, known.commit)
    else:
        return f"nothing is known of #{event.pull_request}"
    answer = await call(
        "publisher",
        check_reviewer,
        ReviewerQuestion(
            repository=event.repository,
            location=event.location,
            commit=about.commit,
            reviewer=event.actor,
        ),
        summary=f"may {event.actor} {event.command}",
        timeout=60,
        within=600,
    )
    if answer.refused:
        return f"{event.command} refused: {answer.refused}"
    target = workflow_id(about) if run is None else run.workflow_id
    if event.command == "cancel":
        return f"cancel: {await _cancel(target)}"
    if event.command == "retry":
        return await _again(about)
    healing = about.model_copy(update={"heal_only": True})
    started = await _start(healing, again=False)
    return f"{'started' if started else 'has its heal already:'} {workflow_id(healing)}"


async def _again(request: PipelineRequest) -> str:
    if await _start(request, again=True):
        return f"started again: {workflow_id(request)}"
    return f"{workflow_id(request)} has not ended"


async def _run_of(event: ForgeEvent) -> FoundRun | None:
    """The run whose heals the pull request shows now: a newer run can have taken it over."""
    question = RunQuestion(repository=event.repository, pull_request=event.pull_request)
    runs = await _found(question)
    return next((run for run in runs if not run.ended), runs[0] if runs else None)


async def _found(question: RunQuestion) -> tuple[FoundRun, ...]:
    number = question.pull_request
    about = question.ref if number is None else f"#{number}"
    found = await call(
        "publisher", find_runs, question, summary=f"runs of {about}", timeout=30, within=600
    )
    return found.runs


async def _signal(run: str, name: str, value: Review | Merge | BaseMoved) -> str:
    try:
        await workflow.get_external_workflow_handle(run).signal(name, value)
    except TemporalError:
        return f"{run} is not there any more"
    return run


async def _cancel(run: str) -> str:
    try:
        await workflow.get_external_workflow_handle(run).cancel()
    except TemporalError:
        return f"{run} is not there"
    return run


async def _start(request: PipelineRequest, *, again: bool) -> bool:
    """Whether a run was started; it outlives this workflow. As `starters/runs.py` starts one."""
    reuse = WorkflowIDReusePolicy
    try:
        run = await workflow.start_child_workflow(
            PipelineWorkflow.run,
            request,
            id=workflow_id(request),
            task_queue=task_queue("orchestrator"),
            id_reuse_policy=reuse.ALLOW_DUPLICATE if again else reuse.REJECT_DUPLICATE,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
            static_summary=static_summary(request),
            static_details=static_details(request),
            search_attributes=first_attributes(request),
        )
    except WorkflowAlreadyStartedError:
        return False
    # How a run ends is its own affair, and asyncio would complain that nobody asks.
    run.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return True


def _request(event: ForgeEvent, ref: str, commit: str) -> PipelineRequest:
    return PipelineRequest(
        repository=event.repository, location=event.location, ref=ref, commit=commit
    )


ACTIVITIES: dict[Role, list[object]] = {"publisher": [select_event, find_runs, check_reviewer]}
