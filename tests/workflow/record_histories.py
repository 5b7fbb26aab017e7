"""Record the golden histories: `.venv/bin/python -m tests.workflow.record_histories`.

Each scenario runs on the ordinary server, with fakes for activities. What says where it was
recorded is taken out.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.event_delivery import deliver_event, repository_workflow_id
from activities.model_prompt import ReadReply
from regreen.contracts.announcement import Told
from regreen.contracts.forge_event import ForgeEvent
from regreen.contracts.repository import Selected
from regreen.contracts.run import PipelineRequest
from regreen.pipeline_file import ApprovalSection
from tests.workflow.running import Run, send, start, waiting
from tests.workflow.sample_answers import (
    ALL_GREEN,
    FULL,
    GREEN,
    OTHER_RED,
    RED,
    UNIT_ONLY,
    fetched,
    proposal,
    red,
    refused,
    request,
    still_red,
    verified,
)
from tests.workflow.scripted_activities import Script, refusal, serving
from workers.connection import connect
from workers.development_server import development_server

FOLDER = Path(__file__).parents[1] / "corpus" / "histories"
CHILDREN = ("unit", "release", "announcements")
NEUTRAL = "recorded"

_WHERE = ("identity", "binaryChecksum", "stackTrace", "encodedAttributes", "buildId")


async def _green(client: Client, script: Script) -> Run:
    script.answer("fetch_source", fetched(FULL))
    return await start(client, _request("1"))


async def _healed(client: Client, script: Script) -> Run:
    """Attempts of both healers: red, no patch, malformed and refused, healed; then approved."""
    script.answer("fetch_source", fetched(FULL))
    script.answer("run_tests", lambda asked: red(RED) if asked.stage == "unit" else GREEN)
    script.answer("propose_search_patch", proposal("one.patch"), proposal(None))
    unread = ReadReply(malformed="no block found", feedback="write blocks")
    script.answer("read_model_reply", unread, ALL_GREEN["read_model_reply"])
    script.answer("verify_patch", still_red("one.patch"), verified("model.patch"))
    script.answer(
        "guard_patch", ALL_GREEN["guard_patch"], refused("sleep"), ALL_GREEN["guard_patch"]
    )
    run = await start(client, _request("2"))
    await waiting(run)
    await send(run, "comment", delivery_id="1")
    await send(run, "approve", delivery_id="2", source="webhook")
    return run


async def _expired(client: Client, script: Script) -> Run:
    approval = ApprovalSection.model_validate(
        {"required": "always", "reminder": "400ms", "expires": "1s"}
    )
    script.answer("fetch_source", fetched(UNIT_ONLY.model_copy(update={"approval": approval})))
    script.answer("run_tests", red(RED, OTHER_RED))
    return await start(client, _request("3"))


async def _announced(client: Client, script: Script) -> Run:
    """Healed and rejected, and each told at two places, of which one refuses something."""
    told = fetched(UNIT_ONLY).model_copy(update={"announces": True, "forge": "github"})
    script.answer("fetch_source", told)
    script.answer("run_tests", red(RED))
    script.answer(
        "send_announcement", Told(), refusal("PlaceRefused", "slack answered 404"), Told()
    )
    run = await start(client, _request("4"))
    await waiting(run)
    await send(run, "reject", delivery_id="1")
    return run


SCENARIOS: dict[str, Callable[[Client, Script], Awaitable[Run]]] = {
    "green": _green,
    "healed-and-released": _healed,
    "expired": _expired,
    "announced": _announced,
}


def _request(digit: str) -> PipelineRequest:
    return request(commit=digit * 40)


async def _record(client: Client, name: str) -> None:
    script = Script(ALL_GREEN)
    async with serving(client, script):
        run = await SCENARIOS[name](client, script)
        try:
            await run.result()
        except WorkflowFailureError as error:
            print(f"{name}: {error.cause}")
        with contextlib.suppress(RPCError):
            # Nothing waits for it but this.
            await client.get_workflow_handle(f"{run.id}/announcements").result()
    found = [execution.id async for execution in client.list_workflows()]
    children = [child for child in CHILDREN if f"{run.id}/{child}" in found]
    for part in ("pipeline", *children):
        workflow_id = run.id if part == "pipeline" else f"{run.id}/{part}"
        await _write(client.get_workflow_handle(workflow_id), f"{name}.{part}")


async def _record_repository(client: Client) -> None:
    """A push that starts a run, a review of none, and a forge that fails; then as new."""
    script = Script(ALL_GREEN)
    gone = ApplicationError("no route to host", type="GitFailed", non_retryable=True)
    script.answer("select_event", Selected(), gone)
    events = [
        _event("push", "push/1/refs/heads/main", ref="main", commit="4" * 40),
        _event("review", "review/1", pull_request=1, decision="approve"),
        _event("push", "push/2/refs/heads/main", ref="main", commit="5" * 40),
    ]
    first = client.get_workflow_handle(repository_workflow_id("github", "example/shop"))
    async with serving(client, script):
        run_id: str | None = None
        for number, event in enumerate(events, 1):
            await deliver_event(client, event, timeout=10)
            run_id = run_id or (await first.describe()).run_id
            while len(await first.query("recent")) < number:
                await asyncio.sleep(0.02)
        while (await first.describe()).run_id == run_id:
            await asyncio.sleep(0.02)
    await _write(client.get_workflow_handle(first.id, run_id=run_id), "renewed.repository")


def _event(kind: str, identity: str, **more: Any) -> ForgeEvent:
    known = {"provider": "github", "repository": "example/shop", "delivery_id": "1"}
    about = {"kind": kind, "identity": identity, "actor": "Ada", "location": "/repositories/shop"}
    return ForgeEvent.model_validate(known | about | more)


async def _write(recorded: WorkflowHandle[Any, Any], name: str) -> None:
    history = await recorded.fetch_history()
    events = [_without_place(event) for event in history.to_json_dict()["events"]]
    lines = ",\n".join(json.dumps(event, sort_keys=True) for event in events)
    head = f'{{"workflow_id": {json.dumps(recorded.id)}, "events": [\n'
    (FOLDER / f"{name}.json").write_text(f"{head}{lines}\n]}}\n", "utf-8")
    print(f"{name}: {len(events)} events")


def _without_place(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_place(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("kind") == "TASK_QUEUE_KIND_STICKY":
        return value | {"name": NEUTRAL}
    return {
        key: NEUTRAL if key in _WHERE and isinstance(each, str) else _without_place(each)
        for key, each in value.items()
    }


async def main() -> None:
    """Record every scenario into the corpus."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with development_server(Path(folder) / "temporal.db", ui=False) as server:
            client = await connect("recorder", server.address)
            for name in SCENARIOS:
                await _record(client, name)
            await _record_repository(client)


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    # The SDK's threads crash now and then in Python's finalisation.
    os._exit(0)
