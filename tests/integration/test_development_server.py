"""The embedded server: it comes up, keeps its data, and never outlives who started it."""

import asyncio
import socket
import subprocess
import sys
import urllib.request
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from regreen.errors import UnreachableError
from tests.e2e.regreen_program import PROJECT, wait_until
from workers import development_server as module
from workers.connection import connect
from workers.development_server import development_server


async def test_what_it_was_told_is_there_after_a_restart(tmp_path: Path) -> None:
    database = tmp_path / "state" / "temporal.db"
    async with development_server(database, ui=False) as server:
        assert server.ui is None
        client = await connect("starter", server.address)
        handle = await client.start_workflow(
            "NobodyServesIt",
            id="kept",
            task_queue="nobody",
            execution_timeout=timedelta(hours=1),
        )
        process = psutil.Process(server.process.pid)
    assert not process.is_running()

    async with development_server(database, ui=False) as server:
        client = await connect("starter", server.address)
        description = await client.get_workflow_handle("kept").describe()

    assert description.run_id == handle.first_execution_run_id


@pytest.mark.parametrize("taken", range(4), ids=["frontend", "ui", "http", "metrics"])
async def test_a_port_that_another_process_took_meanwhile_is_replaced(
    taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_ports = module._free_ports
    with socket.create_server(("127.0.0.1", 0)) as other:
        stolen = [int(other.getsockname()[1])]

        def ports(count: int) -> list[int]:
            found = free_ports(count)
            if stolen:
                found[taken] = stolen.pop()
            return found

        monkeypatch.setattr(module, "_free_ports", ports)
        async with development_server(tmp_path / "temporal.db", ui=True) as server:
            client = await connect("starter", server.address)
            assert await client.count_workflows()
    assert not stolen


async def test_it_is_killed_and_comes_back_with_its_data(tmp_path: Path) -> None:
    database = tmp_path / "temporal.db"
    async with development_server(database, ui=False) as server:
        client = await connect("starter", server.address)
        await client.start_workflow("NobodyServesIt", id="kept", task_queue="nobody")
        server.process.kill()

    async with development_server(database, ui=False) as server:
        client = await connect("starter", server.address)
        assert (await client.get_workflow_handle("kept").describe()).id == "kept"


async def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    async with development_server(tmp_path / "temporal.db", ui=True) as server:
        assert server.ui is not None
        page = await asyncio.to_thread(urllib.request.urlopen, server.ui, None, 10)
        assert page.status == 200
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(server.process.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
    assert listening
    assert {ip.removeprefix("::ffff:") for ip in listening} <= {"127.0.0.1", "::1"}


async def test_it_is_given_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-to-be-seen")

    async with development_server(tmp_path / "temporal.db", ui=False) as server:
        environment = psutil.Process(server.process.pid).environ()

    assert "PATH" in environment
    assert "not-to-be-seen" not in environment.values()


async def test_a_database_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    database = tmp_path / "temporal.db"
    database.write_bytes(b"this is not a database, " * 400)

    with pytest.raises(UnreachableError, match="the embedded server ended: ") as raised:
        async with development_server(database, ui=False):
            pytest.fail("it cannot come up")

    assert "\n" not in str(raised.value)


async def test_without_its_program_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find", lambda _: None)

    with pytest.raises(UnreachableError, match="temporal not found, `pip install regreen`"):
        async with development_server(tmp_path / "temporal.db", ui=False):
            pytest.fail("there is no program")


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(PROJECT)!r})\n"
        "from workers.development_server import development_server\n"
        "async def main():\n"
        "    async with development_server(Path(sys.argv[1]), ui=False) as server:\n"
        "        print(server.process.pid, flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "temporal.db")], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    server = psutil.Process(int(parent.stdout.readline()))

    parent.kill()
    parent.wait(30)

    wait_until(
        lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE,
        "the server's end",
        30,
    )
