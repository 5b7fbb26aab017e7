"""The log of a step: in the store while its commands run, read again line by line."""

import asyncio
import dataclasses
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import obstore
import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities import step_log
from activities.artifact_store import open_store
from activities.process import Completed, run_process
from activities.step_log import kept
from regreen.roles import ROLES, Role
from regreen.settings import load_settings
from starters.run_log import LogLine, RunLog
from workers.step_logging import StepLogging
from workers.worker import make_worker

pytestmark = pytest.mark.timeout(60)

# Waits for a file of the test's, so that the test decides when it goes on.
WAITING = """
import pathlib, sys, time
print("first", flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.02)
print("second", flush=True)
"""


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest) -> str:
    """The name of a store that the settings mean."""
    request.getfixturevalue("own_state" if request.param == "folder" else "s3_store")
    return str(request.param)


def _step(run: str, attempt: int = 1) -> ActivityEnvironment:
    env = ActivityEnvironment()
    env.info = dataclasses.replace(
        env.info,
        workflow_run_id=run,
        activity_id="7",
        activity_type="run_tests",
        attempt=attempt,
    )
    return env


async def _run(folder: Path, code: str, *arguments: str) -> Completed:
    folder.mkdir(exist_ok=True)
    return await run_process(
        [sys.executable, "-c", code, *arguments],
        output=folder / "output.txt",
        timeout=50,
        subject="python",
    )


async def _kept(folder: Path, code: str, *arguments: str) -> Completed:
    with kept():
        return await _run(folder, code, *arguments)


async def _new(log: RunLog, run: str) -> list[LogLine]:
    return [line async for line in log.new_lines([run])]


async def _texts(log: RunLog, run: str) -> list[str]:
    return [line.text for line in await _new(log, run)]


async def _until(log: RunLog, run: str, enough: Callable[[Sequence[str]], bool]) -> list[str]:
    texts: list[str] = []
    while not enough(texts):
        texts += await _texts(log, run)
        await asyncio.sleep(0.02)
    return texts


def _log() -> RunLog:
    return RunLog(open_store(load_settings().artifacts_url))


async def _sizes(run: str) -> list[int]:
    store = open_store(load_settings().artifacts_url)
    return [int(o["size"]) async for batch in obstore.list(store, f"logs/{run}/") for o in batch]


async def _printed(folder: Path, run: str, code: str) -> list[str]:
    """What the log of a step that runs this program tells after its end."""
    await _step(run).run(_kept, folder, code)
    await step_log.written(30)
    log = _log()
    texts = await _texts(log, run)
    assert log.complete
    return texts


async def test_lines_are_read_while_the_command_runs_and_none_twice(
    store: str, tmp_path: Path
) -> None:
    run, go, log = f"while-{store}", tmp_path / "go", _log()
    step = asyncio.create_task(_step(run).run(_kept, tmp_path / "step", WAITING, str(go)))

    early = await _until(log, run, lambda texts: "first" in texts)

    assert not step.done()
    assert (early, log.complete) == (["first"], False)
    go.touch()
    await step
    await step_log.written(30)
    assert await _texts(log, run) == ["second"]
    assert log.complete
    assert await _texts(log, run) == []
    assert await _texts(_log(), run) == ["first", "second"]


async def test_a_line_says_from_which_attempt_it_is(store: str, tmp_path: Path) -> None:
    run = f"attempts-{store}"
    for number in (1, 2):
        await _step(run, number).run(_kept, tmp_path / str(number), f"print('try {number}')")
    await step_log.written(30)

    lines = await _new(_log(), run)

    told = [(line.attempt.activity, line.attempt.number, line.text) for line in lines]
    assert told == [("run_tests", 1, "try 1"), ("run_tests", 2, "try 2")]
    assert lines[0].time <= lines[1].time


async def test_commands_at_the_same_time_do_not_mix_their_lines(
    own_state: Path, tmp_path: Path
) -> None:
    code = "import sys, time\nfor c in sys.argv[1] * 30: print(c, end='', flush=True)"
    code = code.replace(": print", ":\n  time.sleep(0.05); print")

    async def both() -> None:
        with kept():
            await asyncio.gather(_run(tmp_path / "a", code, "a"), _run(tmp_path / "b", code, "b"))

    await _step("both").run(both)
    await step_log.written(30)

    assert sorted(await _texts(_log(), "both")) == ["a" * 30, "b" * 30]


async def test_what_a_terminal_would_obey_and_what_is_secret_is_not_shown(
    own_state: Path, tmp_path: Path
) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIB\n+abc/=\n-----END RSA PRIVATE KEY-----\n"
    code = (
        "import sys; out = sys.stdout.buffer\n"
        "out.write(b'\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07end\\r\\n')\n"
        "out.write(b'50 %\\r100 %\\n\\x9b\\xff \\xc2\\x9b\\n')\n"
        f"out.write({key.encode()!r})\n"
        "out.write(b'after\\nAPI_TOKEN=abcdefgh12345678\\nno end of line')\n"
    )

    assert await _printed(tmp_path / "step", "hostile", code) == [
        "red end",
        "50 %",
        "100 %",
        "\ufffd\ufffd ",
        *["[redacted]"] * 4,
        "after",
        "API_TOKEN=[redacted]",
        "no end of line",
    ]


async def test_of_a_great_deal_the_beginning_and_the_end_are_kept(
    own_state: Path, tmp_path: Path
) -> None:
    code = "for n in range(300_000): print(f'line {n} ' + 60 * '.')\nprint('the end')"

    texts = await _printed(tmp_path / "step", "big", code)

    assert texts[0].startswith("line 0 ")
    assert texts[-1] == "the end"
    [left_out] = [text for text in texts if text.endswith(" bytes left out ...]")]
    sizes = await _sizes("big")
    assert max(sizes) <= 65 << 10
    assert sum(sizes) <= (8 << 20) + (65 << 10)
    written = (tmp_path / "step" / "output.txt").stat().st_size
    # The line that says so stands between two line ends of its own.
    kept_bytes = sum(sizes) - len(left_out) - 2
    assert written - kept_bytes == int(left_out.split()[1])


async def test_a_line_without_end_is_shown_in_pieces(own_state: Path, tmp_path: Path) -> None:
    texts = await _printed(tmp_path / "step", "long", "print(300_000 * 'x')")
    assert "".join(texts) == 300_000 * "x"
    assert max(map(len, texts)) <= 128 << 10


async def test_a_link_in_the_place_of_the_output_leads_nowhere(
    own_state: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of another\n")
    code = (
        "import os; print('mine', flush=True)\n"
        f"os.remove('{tmp_path}/step/output.txt')\n"
        f"os.symlink('{secret}', '{tmp_path}/step/output.txt')\n"
    )
    assert await _printed(tmp_path / "step", "link", code) == ["mine"]


async def test_a_step_that_prints_nothing_has_no_log(own_state: Path, tmp_path: Path) -> None:
    assert await _printed(tmp_path / "step", "silent", "pass") == []
    assert await _sizes("silent") == []


async def test_a_store_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, s3_store: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        # Another address, since stores are opened once.
        monkeypatch.setenv("REGREEN_ARTIFACTS", f"{s3_store}/silent")

        done = await _step("silence").run(_kept, tmp_path / "step", "print('fine')")

    assert (done.code, done.tail()) == (0, "fine\n")


async def test_what_could_not_be_stored_at_once_is_stored_later(
    own_state: Path, tmp_path: Path
) -> None:
    artifacts, go = own_state / "artifacts", tmp_path / "go"
    own_state.mkdir(exist_ok=True)
    artifacts.write_text("in the way")
    step = asyncio.create_task(_step("later").run(_kept, tmp_path / "step", WAITING, str(go)))
    go.touch()
    await step

    artifacts.unlink()

    texts = await _until(_log(), "later", lambda texts: "second" in texts)
    assert texts == ["first", "second"]


@pytest.mark.parametrize("role", ROLES)
async def test_only_the_runner_which_holds_no_secret_keeps_logs(
    worker_client: Client, role: Role
) -> None:
    # A worker that is made and never run keeps its queue to itself until it is collected.
    async with make_worker(worker_client, role) as worker:
        interceptors = worker.config().get("interceptors", [])

    keeps = any(isinstance(each, StepLogging) for each in interceptors)
    assert keeps == (role == "runner")
