"""What a sandboxed command can see, reach and use. On a machine with bubblewrap."""

import asyncio
import dataclasses
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest
from temporalio.exceptions import ApplicationError

import activities.sandbox
from activities.process import Completed
from activities.sandbox import (
    Isolation,
    Limits,
    Mount,
    Sandbox,
    inside,
    isolation,
    require_isolation,
    run_sandboxed,
    sandbox_command,
    with_scratch,
)
from activities.workspace import sweep

PYTHON = str(Path(sys.base_prefix).resolve() / "bin" / "python3")


@pytest.fixture(autouse=True)
def _isolated() -> None:
    assert isolation().kind == "bubblewrap", isolation().reason


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A workspace and a results folder, nothing else."""
    workspace, results = tmp_path / "copy", tmp_path / "results"
    workspace.mkdir()
    results.mkdir()
    return Sandbox(workspace=workspace, results=results)


async def _run(
    sandbox: Sandbox, code: str, *, timeout: float = 60, arguments: tuple[str, ...] = ()
) -> Completed:
    assert sandbox.results is not None
    return await run_sandboxed(
        sandbox,
        [PYTHON, "-c", code, *arguments],
        output=sandbox.results / "output.txt",
        timeout=timeout,
        subject="test",
    )


async def _told(sandbox: Sandbox, code: str) -> Any:
    done = await _run(sandbox, f"import json, os\n{code}")
    assert done.code == 0, done.tail()
    return json.loads(done.tail(100_000))


async def test_it_sees_its_workspace_and_writes_there(sandbox: Sandbox) -> None:
    assert sandbox.workspace is not None
    (sandbox.workspace / "a.txt").write_text("here")

    told = await _told(
        sandbox,
        "open('made.txt', 'w').write('made')\n"
        "print(json.dumps([os.getcwd(), open('/workspace/a.txt').read()]))",
    )

    assert told == ["/workspace", "here"]
    assert (sandbox.workspace / "made.txt").read_text() == "made"


async def test_secrets_and_homes_are_not_there(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = secrets.token_hex(16)
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    monkeypatch.setenv("ANY_OTHER", secret)

    told = await _told(
        sandbox,
        "seen = {n: sorted(os.listdir(n)) for n in ('/', '/home', '/tmp', '/etc')}\n"
        "environs = [open(f'/proc/{p}/environ', 'rb').read().decode('latin-1')\n"
        "            for p in os.listdir('/proc') if p.isdigit()]\n"
        "print(json.dumps({'seen': seen, 'environ': dict(os.environ), 'environs': environs}))",
    )

    assert secret not in json.dumps(told)
    assert "ANY_OTHER" not in told["environ"]
    assert told["environ"]["HOME"] == "/home/sandbox"
    # A home outside of /home shows only as far as the interpreter lies in it.
    outside = {Path.home().parts[1]} - {"home"}
    if not Path(sys.base_prefix).is_relative_to(Path.home()):
        assert outside.isdisjoint(told["seen"]["/"])
    assert told["seen"]["/home"] == ["sandbox"]
    assert told["seen"]["/tmp"] == []
    assert "shadow" not in told["seen"]["/etc"]


async def test_of_a_home_it_sees_at_most_its_interpreter(sandbox: Sandbox) -> None:
    top = Path(sys.base_prefix).resolve().parts[1]

    told = await _told(
        sandbox,
        f"print(json.dumps([os.path.join(b, f) for b, _, fs in os.walk('/{top}') for f in fs][:9]\n"
        f"  if '/{top}' not in ('/usr', '/opt') else []))",
    )

    prefix = str(Path(sys.base_prefix).resolve())
    assert all(path.startswith(prefix) for path in told)
    for hidden in (Path.home() / ".ssh", Path.home() / ".bashrc", Path(__file__)):
        assert not await _told(sandbox, f"print(json.dumps(os.path.exists({str(hidden)!r})))")


async def test_the_network_is_its_own_loopback(sandbox: Sandbox) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        told = await _told(
            sandbox,
            "import socket, threading\n"
            "def tries(address):\n"
            "    try:\n"
            "        socket.create_connection(address, 5).close()\n"
            "        return 'connected'\n"
            "    except OSError as error:\n"
            "        return type(error).__name__\n"
            "own = socket.create_server(('127.0.0.1', 0))\n"
            "print(json.dumps({'interfaces': [n for _, n in socket.if_nameindex()],\n"
            "  'own': tries(own.getsockname()),\n"
            f"  'host': tries(('127.0.0.1', {port})),\n"
            "  'outside': tries(('192.0.2.1', 80))}))",
        )

    assert told["own"] == "connected"
    assert told["host"] == "ConnectionRefusedError"
    assert told["outside"] == "OSError"
    assert "lo" in told["interfaces"]
    assert not [name for name in told["interfaces"] if name.startswith(("eth", "en", "wl"))]


async def test_with_the_network_it_gets_out_and_not_back_to_this_machine(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than the path of a socket may be.
    temporary = tmp_path / ("t" * 120)
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\npackages")
        await writer.drain()
        writer.close()

    first = await asyncio.start_server(serve, "127.0.0.1", 0)
    index = await asyncio.start_server(serve, "127.0.0.1", 0)
    closed, open_ = (each.sockets[0].getsockname()[1] for each in (first, index))
    monkeypatch.setenv("UV_INDEX_URL", f"http://127.0.0.1:{open_}/simple")
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:a-password@127.0.0.1:9")
    async with first, index:
        told = await _told(
            dataclasses.replace(sandbox, network=True),
            "import socket, urllib.error, urllib.request\n"
            "def asks(port):\n"
            "    try:\n"
            "        return urllib.request.urlopen(f'http://127.0.0.1:{port}/').read().decode()\n"
            "    except urllib.error.HTTPError as error:\n"
            "        return error.code\n"
            "def connects(port):\n"
            "    try:\n"
            "        return bool(socket.create_connection(('127.0.0.1', port), 5))\n"
            "    except OSError as error:\n"
            "        return type(error).__name__\n"
            f"print(json.dumps([connects({closed}), asks({closed}), asks({open_}),\n"
            "  'a-password' in repr(dict(os.environ))]))",
        )

    assert told == ["ConnectionRefusedError", 403, "packages", False]


@pytest.mark.parametrize(
    ("code", "ends"), [("raise SystemExit(7)", 7), ("os.kill(os.getpid(), 15)", 128 + 15)]
)
async def test_with_the_network_it_ends_as_its_command_does(
    sandbox: Sandbox, code: str, ends: int
) -> None:
    done = await _run(dataclasses.replace(sandbox, network=True), f"import os; {code}")

    assert done.code == ends


async def test_process_ids_are_its_own(sandbox: Sandbox) -> None:
    told = await _told(
        sandbox,
        "def tries(pid):\n"
        "    try:\n"
        "        os.kill(pid, 0)\n"
        "        return True\n"
        "    except ProcessLookupError:\n"
        "        return False\n"
        f"print(json.dumps([len([p for p in os.listdir('/proc') if p.isdigit()]), os.getuid(),\n"
        f"  os.getpid(), tries(max({os.getpid()}, 1000))]))",
    )

    processes, user, pid, others = told
    assert processes <= 3
    assert pid <= 3
    assert user == 1000
    assert others is False


@pytest.mark.parametrize(
    "path",
    ["/usr/made", "/bin/made", "/etc/passwd", "/environment/made", f"{sys.base_prefix}/made"],
)
async def test_the_system_cannot_be_written(sandbox: Sandbox, tmp_path: Path, path: str) -> None:
    environment = tmp_path / "environment"
    environment.mkdir()

    done = await _run(
        dataclasses.replace(sandbox, environment=environment), f"open({path!r}, 'a').write('x')"
    )

    assert done.code == 1
    assert "Read-only file system" in done.tail() or "Permission denied" in done.tail()
    assert not Path(path).exists() or path == "/etc/passwd"


async def test_what_it_leaves_in_tmp_is_gone(sandbox: Sandbox) -> None:
    name = secrets.token_hex(8)

    assert (await _run(sandbox, f"open('/tmp/{name}', 'w').write('x')")).code == 0

    assert not Path(f"/tmp/{name}").exists()
    assert await _told(sandbox, "print(json.dumps(os.listdir('/tmp')))") == []


async def test_mounts_are_read_only_unless_opened(sandbox: Sandbox, tmp_path: Path) -> None:
    closed, opened = tmp_path / "closed", tmp_path / "opened"
    closed.mkdir()
    opened.mkdir()
    mounts = (Mount(closed, "/closed"), Mount(opened, "/opened", writable=True))
    shown = dataclasses.replace(sandbox, mounts=mounts)

    assert (await _run(shown, "open('/closed/a', 'w')")).code == 1
    assert (await _run(shown, "open('/opened/a', 'w')")).code == 0
    assert list(closed.iterdir()) == []
    assert [path.name for path in opened.iterdir()] == ["a"]


async def test_a_file_beyond_the_limit_is_cut(sandbox: Sandbox) -> None:
    limited = dataclasses.replace(sandbox, limits=Limits(file_bytes=100_000))

    done = await _run(limited, "open('big', 'wb').write(bytes(200_000))")

    assert done.code != 0
    assert sandbox.workspace is not None
    assert (sandbox.workspace / "big").stat().st_size <= 100_000


async def test_memory_beyond_the_limit_is_refused(sandbox: Sandbox) -> None:
    limited = dataclasses.replace(sandbox, limits=Limits(memory_bytes=512 << 20))

    done = await _run(limited, "bytearray(1 << 30)")

    assert done.code == 1
    assert "MemoryError" in done.tail()


async def test_past_its_time_it_is_ended_with_all_it_started(sandbox: Sandbox) -> None:
    mark = secrets.token_hex(8)

    done = await _run(sandbox, _FORKING, timeout=2, arguments=(mark,))

    assert done.timed_out
    assert done.tail().count("started") == 2
    await _gone(mark)


async def test_cancelled_it_is_ended_with_all_it_started(sandbox: Sandbox) -> None:
    mark = secrets.token_hex(8)
    assert sandbox.results is not None
    output = sandbox.results / "output.txt"
    task = asyncio.create_task(_run(sandbox, _FORKING, arguments=(mark,)))
    while not (output.exists() and output.read_text().count("started") == 2):
        assert not task.done()
        await asyncio.sleep(0.02)
    assert _marked(mark)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await _gone(mark)


async def test_what_it_leaves_running_in_a_session_of_its_own_is_ended(sandbox: Sandbox) -> None:
    mark = secrets.token_hex(8)

    done = await _run(
        sandbox,
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[1]],\n"
        "                 start_new_session=True)",
        arguments=(mark,),
    )

    assert done.code == 0
    await _gone(mark)


_ENDLESS = """
import asyncio, sys
from pathlib import Path
from activities.sandbox import Sandbox, run_sandboxed
folder = Path(sys.argv[1])
sandbox = Sandbox(workspace=folder)
command = ["sh", "-c", "echo > begun; sleep 600"]
output = folder / "output"
asyncio.run(run_sandboxed(sandbox, command, output=output, timeout=600, subject="test"))
"""


async def test_what_it_had_is_swept_when_the_process_that_ran_it_was_killed(
    own_state: Path, tmp_path: Path
) -> None:
    workspace, temporary = tmp_path / "copy", tmp_path / "tmp"
    workspace.mkdir()
    temporary.mkdir()
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _ENDLESS, str(workspace)),
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    while not (workspace / "begun").exists():
        assert running.returncode is None
        await asyncio.sleep(0.02)
    running.kill()
    await running.wait()

    assert list(temporary.iterdir()) == []
    assert list((own_state / "work").iterdir()) != []
    sweep()
    assert list((own_state / "work").iterdir()) == []


def test_paths_have_their_names_inside(sandbox: Sandbox) -> None:
    assert sandbox.workspace is not None
    assert sandbox.results is not None
    assert inside(sandbox, sandbox.workspace) == "/workspace"
    assert inside(sandbox, sandbox.workspace / "src" / "a.py") == "/workspace/src/a.py"
    assert inside(sandbox, sandbox.results / "log") == "/results/log"
    assert inside(sandbox, Path("/usr/bin/true")) == "/usr/bin/true"


def test_without_bubblewrap_nothing_of_the_environment_is_handed_down(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activities.sandbox, "isolation", lambda: Isolation("none", "no namespaces"))
    monkeypatch.setenv("ANY_SECRET", "x")

    command, variables, cwd = sandbox_command(sandbox, ["true"], tmp_path)

    assert "ANY_SECRET" not in variables
    assert variables["HOME"] == str(tmp_path)
    assert cwd == sandbox.workspace
    assert command[-1] == "true"
    assert any("prlimit" in word for word in command)


LEAVES_ITS_MARK = """
import os, pathlib, tempfile
for folder in ({folders}):
    mark = pathlib.Path(folder) / "mark"
    print(mark.exists())
    mark.write_text("here")
"""


async def test_a_scratch_folder_lasts_from_one_command_to_the_next(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    folders = "'/tmp', tempfile.gettempdir(), os.path.expanduser('~'), '/dev/shm'"
    code = LEAVES_ITS_MARK.format(folders=folders)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    private = [await _run(sandbox, code) for _ in range(2)][1].tail().split()
    lasting = [await _run(with_scratch(sandbox, scratch), code) for _ in range(2)][1].tail()

    # The second folder is the first one by another name.
    assert private == ["False", "True", "False", "False"]
    assert lasting.split() == ["True"] * 4


async def test_without_namespaces_a_scratch_folder_lasts_too(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activities.sandbox, "isolation", lambda: Isolation("none", "no namespaces"))
    code = LEAVES_ITS_MARK.format(folders="tempfile.gettempdir(), os.path.expanduser('~')")
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    private = [await _run(sandbox, code) for _ in range(2)][1].tail().split()
    lasting = [await _run(with_scratch(sandbox, scratch), code) for _ in range(2)][1].tail()

    # Home is the temporary folder there.
    assert private == ["False", "True"]
    assert lasting.split() == ["True", "True"]


def test_required_isolation_that_is_not_to_be_had_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(activities.sandbox, "isolation", lambda: Isolation("none", "no namespaces"))

    require_isolation(False)
    with pytest.raises(ApplicationError, match="sandbox required: no namespaces") as raised:
        require_isolation(True)
    assert raised.value.non_retryable


_FORKING = "import os, time\nos.fork()\nos.write(1, b'started\\n')\ntime.sleep(600)\n"


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if mark in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


async def _gone(mark: str) -> None:
    # The kernel ends a namespace's processes right after its first one.
    for _ in range(500):
        if not _marked(mark):
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"still alive: {_marked(mark)}")
