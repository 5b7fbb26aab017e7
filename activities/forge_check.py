"""Stages as checks on the commit: a check run each, or a commit status where those are denied."""

from typing import Any
from urllib.parse import quote

from github import GithubException
from github.Commit import Commit
from github.Repository import Repository
from temporalio import activity

from activities.forge import github_of
from activities.github_client import ask, github_client
from activities.github_failures import limit_delay
from regreen.contracts.forge_check import Annotation, StageOnForge
from regreen.markdown import prose
from regreen.printable import one_line_of
from regreen.settings import load_settings

_IN_ONE_REQUEST = 50
_TITLE, _MESSAGE, _SUMMARY, _DESCRIPTION = 255, 8_000, 4_000, 140

_CONCLUSIONS = {
    "passed": "success",
    # The commit itself is red, and a person has to look at what mends it.
    "healed": "action_required",
    "failed": "failure",
    "skipped": "skipped",
    "cancelled": "cancelled",
}
_STATES = {
    "running": "pending",
    "passed": "success",
    "healed": "failure",
    "failed": "failure",
    "skipped": "success",
    "cancelled": "error",
}


@activity.defn
async def report_stage_on_forge(told: StageOnForge) -> None:
    """Show a stage on the commit; for a local repository there is nothing to do.

    Raises the ApplicationErrors of `activities.github_client.ask`.
    """
    name = await github_of(told.location, told.commit)
    if name is None:
        return
    page = _page(told)
    repository = github_client(load_settings()).get_repo(name)
    await ask(f"{told.stage} on {name}", lambda: _report(repository, told, page))


def _report(repository: Repository, told: StageOnForge, page: str | None) -> None:
    commit = repository.get_commit(told.commit)
    try:
        _check_run(repository, commit, told, page)
    except GithubException as error:
        # Only apps may write check runs, and only with that permission.
        if error.status != 403 or limit_delay(error) is not None:
            raise
        _status(commit, told, page)


def _check_run(
    repository: Repository, commit: Commit, told: StageOnForge, page: str | None
) -> None:
    shown = _shown(told)
    if page is not None:
        shown["details_url"] = page
    beside = [_annotation(each) for each in told.annotations if each.path]
    external = f"{told.run}/{told.run_id}/{told.stage}"
    runs = commit.get_check_runs(check_name=_name(told), filter="all")
    run = next((each for each in runs if each.external_id == external), None)
    if run is None:
        first = shown["output"] | {"annotations": beside[:_IN_ONE_REQUEST]}
        run = repository.create_check_run(
            _name(told), told.commit, external_id=external, **(shown | {"output": first})
        )
    elif run.status == "completed":
        # An earlier try got this far; what was on its way for longer says nothing new.
        if told.state == "running":
            return
    elif told.state != "running":
        first = shown["output"] | {"annotations": beside[:_IN_ONE_REQUEST]}
        run.edit(**(shown | {"output": first}))
    # GitHub adds them to those that are there, which are the first of these.
    while (there := run.output.annotations_count) < len(beside):
        more = beside[there : there + _IN_ONE_REQUEST]
        run.edit(output=shown["output"] | {"annotations": more})
        if run.output.annotations_count == there:
            return


def _shown(told: StageOnForge) -> dict[str, Any]:
    lines = [
        f"- {prose(each.title, _TITLE)}: {prose(each.message, _MESSAGE)}"
        for each in told.annotations[:_IN_ONE_REQUEST]
        if not each.path
    ]
    output = {
        "title": f"{told.stage}: {told.state}",
        "summary": prose(told.summary, _SUMMARY) or told.state,
    }
    if lines:
        output["text"] = "\n".join(lines)[:60_000]
    if told.state == "running":
        return {"status": "in_progress", "output": output}
    return {"status": "completed", "conclusion": _CONCLUSIONS[told.state], "output": output}


def _annotation(each: Annotation) -> dict[str, Any]:
    line = max(1, each.line)
    return {
        "path": each.path,
        "start_line": line,
        "end_line": line,
        "annotation_level": each.level,
        "title": one_line_of(each.title)[:_TITLE],
        "message": each.message[:_MESSAGE] or each.title[:_MESSAGE] or each.level,
    }


def _status(commit: Commit, told: StageOnForge, page: str | None) -> None:
    description = one_line_of(f"{told.state}: {told.summary}" if told.summary else told.state)
    if len(description) > _DESCRIPTION:
        description = f"{description[: _DESCRIPTION - 2]} …"
    wanted = (_STATES[told.state], description, page)
    for there in commit.get_combined_status().statuses:
        if there.context == _name(told):
            if (there.state, there.description, there.target_url) == wanted:
                return
            break
    where = {} if page is None else {"target_url": page}
    commit.create_status(_STATES[told.state], description=description, context=_name(told), **where)


def _name(told: StageOnForge) -> str:
    return f"regreen / {told.stage}"


def _page(told: StageOnForge) -> str | None:
    """The run's page in the web UI, when the operator has said where that is."""
    ui = load_settings().ui
    if not ui:
        return None
    namespace = activity.info().namespace
    run = f"{quote(told.run, safe='')}/{told.run_id}"
    return f"{ui.rstrip('/')}/namespaces/{namespace}/workflows/{run}/timeline"
