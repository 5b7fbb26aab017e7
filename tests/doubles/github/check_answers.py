"""Check runs and commit statuses."""

from collections.abc import Callable
from typing import Any

from tests.doubles.github.pull_answers import paged
from tests.doubles.github.request import Answer, Asked, not_found, part
from tests.doubles.github.state import State

_ANNOTATIONS = 50


def _create(state: State, asked: Asked) -> Answer:
    run = {"id": state.next_number(), "annotations": []}
    state.check_runs[run["id"]] = run
    _take(run, asked.body)
    return part(201, _shown(state, run))


def _update(state: State, asked: Asked) -> Answer:
    run = state.check_runs.get(int(asked.parameters["check_run_id"]))
    if run is None:
        return not_found()
    _take(run, asked.body)
    return part(200, _shown(state, run))


def _list(state: State, asked: Asked) -> Answer:
    found = [
        run
        for run in state.check_runs.values()
        if run["head_sha"] == asked.parameters["ref"]
        and asked.query.get("check_name") in (None, run["name"])
    ]
    shown = [_shown(state, run) for run in paged(asked, found)]
    return part(200, {"total_count": len(found), "check_runs": shown})


def _create_status(state: State, asked: Asked) -> Answer:
    status = {**asked.body, "sha": asked.parameters["sha"]}
    state.statuses.append(status)
    return part(201, _status(status))


def _combined_status(state: State, asked: Asked) -> Answer:
    ref = asked.parameters["ref"]
    latest = {each["context"]: each for each in state.statuses if each["sha"] == ref}
    return part(
        200,
        {
            "state": "pending",
            "sha": ref,
            "total_count": len(latest),
            "statuses": [_status(each) for each in latest.values()],
        },
    )


def _take(run: dict[str, Any], body: dict[str, Any]) -> None:
    output = dict(body.get("output", {}))
    annotations = output.pop("annotations", [])
    assert len(annotations) <= _ANNOTATIONS
    # GitHub adds them to those that are there.
    run["annotations"] += annotations
    run.update({key: value for key, value in body.items() if key != "output"})
    run["output"] = run.get("output", {}) | output


def _shown(state: State, run: dict[str, Any]) -> dict[str, Any]:
    base = f"{state.address}/repos/{state.repository}"
    told = {key: value for key, value in run.items() if key != "annotations"}
    output = {"annotations_count": len(run["annotations"])} | run["output"]
    return told | {
        "url": f"{base}/check-runs/{run['id']}",
        "output": output,
        "check_suite": {"id": 1},
    }


def _status(status: dict[str, Any]) -> dict[str, Any]:
    told = {"target_url": None, "description": None} | status
    return {key: value for key, value in told.items() if key != "sha"}


ANSWERS: dict[str, Callable[[State, Asked], Answer]] = {
    "checks/create": _create,
    "checks/list-for-ref": _list,
    "checks/update": _update,
    "repos/create-commit-status": _create_status,
    "repos/get-combined-status-for-ref": _combined_status,
}
