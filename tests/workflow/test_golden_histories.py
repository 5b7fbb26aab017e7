"""Replay of recorded runs: code that decides otherwise than before breaks the runs in flight."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.workflow.record_histories import FOLDER, NEUTRAL
from workers.registry import WORKFLOWS
from workers.worker import FAILURES, workflow_runner

pytestmark = pytest.mark.timeout(60)

HISTORIES = sorted(FOLDER.glob("*.json"))


def _recorded(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return read


async def _replay(recorded: dict[str, Any]) -> None:
    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=workflow_runner(),
        workflow_failure_exception_types=FAILURES,
        data_converter=pydantic_data_converter,
    )
    history = {"events": recorded["events"]}
    await replayer.replay_workflow(WorkflowHistory.from_json(recorded["workflow_id"], history))


def test_the_corpus_holds_every_workflow_and_every_way_it_ends() -> None:
    assert [path.stem for path in HISTORIES] == [
        *("announced.announcements", "announced.pipeline", "announced.unit"),
        *("expired.pipeline", "expired.unit"),
        *("green.pipeline", "green.release", "green.unit"),
        *("healed-and-released.pipeline", "healed-and-released.release"),
        "healed-and-released.unit",
        "renewed.repository",
    ]
    last = {_recorded(path)["events"][-1]["eventType"] for path in HISTORIES}
    assert last == {
        "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_FAILED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
    }


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_run_is_decided_as_it_was(path: Path) -> None:
    await _replay(_recorded(path))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_run_that_was_decided_otherwise_is_noticed(path: Path) -> None:
    recorded = _recorded(path)
    kind = "activityTaskScheduledEventAttributes"
    last = [event for event in recorded["events"] if kind in event][-1]
    last[kind]["activityType"]["name"] = "something_else"
    with pytest.raises(NondeterminismError):
        await _replay(recorded)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_history_does_not_say_where_it_was_recorded(path: Path) -> None:
    for key, text in _texts(_recorded(path)["events"]):
        if key in ("identity", "stackTrace"):
            assert text == NEUTRAL
        assert not re.search(r"\d+@[\w.-]+|\w@[\w.-]+:\d+", text), text
        absolute = re.findall(r"(?<![\w./>:])/[A-Za-z][\w.-]*", text)
        assert set(absolute) <= {"/repositories", "/releases"}, text


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, key)
    elif isinstance(value, str):
        yield key, base64.b64decode(value).decode() if key == "data" else value
