"""Subprocesses of activities: bounded in time, watched by heartbeats, never left behind."""

import asyncio
import contextlib
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from temporalio.testing import ActivityEnvironment

from activities.git import git
from activities.process import Completed, die_with_parent, run_process, tail_of
from tests.e2e.regreen_program import wait_until

STUBBORN = (
    "import os, signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "os.fork()\n"
    "print('ready', flush=True)\n"
    "time.sleep(600)\n"
)


async def _run(tmp_path: Path, code: str, *arguments: str, timeout: float = 60) -> Completed:
    return await run_process(
        [sys.executable, "-c", code, *arguments],
        output=tmp_path / "output.txt",
        timeout=timeout,
        subject="python",
    )


def _alive(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if alive and mark in (process.info["cmdline"] or []):
            found.append(process.pid)
    return found


async def test_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    done = await _run(
        tmp_path, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    )

    assert (done.code, done.timed_out) == (7, False)
    assert sorted(done.tail().split()) == ["err", "out"]


async def test_a_signal_is_a_negative_code(tmp_path: Path) -> None:
    done = await _run(tmp_path, "import os; os.kill(os.getpid(), 9)")

    assert done.code == -9


async def test_the_environment_is_the_given_one(tmp_path: Path) -> None:
    done = await run_process(
        [sys.executable, "-c", "import os; print(sorted(os.environ))"],
        output=tmp_path / "output.txt",
        timeout=60,
        subject="python",
        env={"ONLY": "this", "LC_ALL": "C"},
    )

    assert done.tail().strip() == "['LC_ALL', 'ONLY']"


async def test_past_its_time_the_whole_group_is_ended(tmp_path: Path) -> None:
    mark = secrets.token_hex(8)

    done = await _run(tmp_path, STUBBORN, mark, timeout=1)

    assert done.timed_out
    assert done.code == -9
    wait_until(lambda: not _alive(mark), "the end of the group", 30)


async def test_cancelled_the_whole_group_is_ended(tmp_path: Path) -> None:
    mark = secrets.token_hex(8)
    task = asyncio.create_task(_run(tmp_path, STUBBORN, mark))
    while tail_of(tmp_path / "output.txt", 100).count("ready") < 2:
        assert not task.done()
        await asyncio.sleep(0.02)
    assert len(_alive(mark)) == 2

    task.cancel()

    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    wait_until(lambda: not _alive(mark), "the end of the group", 30)


async def test_cancelled_git_ends_with_its_helpers() -> None:
    mark = secrets.token_hex(8)
    helper = f"alias.wait=!{sys.executable} -c 'import time; time.sleep(600)' {mark}"
    task = asyncio.create_task(git(["-c", helper, "wait"]))
    while not _alive(mark):
        assert not task.done()
        await asyncio.sleep(0.02)

    task.cancel()

    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    wait_until(lambda: not _alive(mark), "the end of the helper", 30)


async def test_children_left_behind_are_ended(tmp_path: Path) -> None:
    mark = secrets.token_hex(8)

    done = await _run(
        tmp_path,
        "import os, sys, time\nif os.fork() == 0:\n    time.sleep(600)\nprint('ended')",
        mark,
    )

    assert done.code == 0
    wait_until(lambda: not _alive(mark), "the end of the child", 30)


async def test_a_heartbeat_tells_the_last_line(tmp_path: Path) -> None:
    told: list[Any] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: told.extend(details)

    await environment.run(_run, tmp_path, "print('first'); print('last line', flush=True)")

    assert told
    assert told[-1]["subject"] == "python"
    assert told[-1]["line"] == "last line"


async def test_output_without_end_is_told_by_its_end(tmp_path: Path) -> None:
    done = await _run(tmp_path, "print('é' * 1_000_000, end=''); print('end')")

    assert done.tail(10) == "éééééé" + "end\n"


def test_the_tail_of_what_is_not_there_is_empty(tmp_path: Path) -> None:
    assert tail_of(tmp_path / "nothing", 10) == ""


def test_a_command_ends_when_its_parent_is_killed() -> None:
    assert die_with_parent(), "setpriv of util-linux"
    mark = secrets.token_hex(8)
    code = (
        "import subprocess, sys, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from activities.process import die_with_parent\n"
        "subprocess.Popen([*die_with_parent(), sys.executable, '-c',"
        f" 'import time; time.sleep(600)', {mark!r}], start_new_session=True)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    wait_until(lambda: len(_alive(mark)) == 1, "the child", 30)

    parent.kill()
    parent.wait(30)

    wait_until(lambda: not _alive(mark), "the end of the child", 30)
