"""With payload keys nobody reads in Temporal what a run is about, but those who have the keys."""

import base64
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from regreen.tools.locate import find
from tests.e2e.conftest import MakeProgram
from tests.e2e.plain_repository import plain_repository
from tests.e2e.regreen_program import Program, tree_of, wait_until

KEY = base64.urlsafe_b64encode(os.urandom(32)).decode()
SECRET = "marzipan"
FILES = {
    "shop.py": "def total(prices):\n    return sum(prices)\n",
    "test_shop.py": (
        "import os\nfrom pathlib import Path\n\nfrom shop import total\n\n\n"
        "def environments():\n"
        "    for path in Path('/proc').glob('[0-9]*/environ'):\n"
        "        try:\n"
        "            yield path.read_bytes()\n"
        "        except OSError:\n"
        "            pass\n\n\n"
        "def test_the_keys_are_out_of_reach():\n"
        "    assert os.environ['HOME'].encode() in b''.join(environments())\n"
        "    assert not any(b'PAYLOAD_KEYS' in each for each in environments())\n\n\n"
        f"def test_{SECRET}():\n"
        f"    assert total([1]) == 2, '{SECRET}'\n"
    ),
    "regreen.yaml": "healers: []\nsecurity: null\npackage: null\n",
}


def _with(program: Program, **variables: str) -> Program:
    """The same state, with these variables alone."""
    return Program(program.folder, program.state, variables)


@dataclass(frozen=True)
class Encrypted:
    """A run that is encrypted, on a host that has the key."""

    program: Program
    run: Any
    """Its JSON document."""
    codec: str
    """Address of the host's codec server."""


@pytest.fixture(scope="module")
def encrypted(
    make_program: MakeProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Encrypted]:
    program = make_program(REGREEN_PAYLOAD_KEYS=KEY)
    repository = plain_repository(tmp_path_factory.mktemp("made") / "shop", FILES)
    with program.start("up") as started:
        wait_until((program.state / "server.json").exists, "the server")
        option = "--ui-codec-endpoint="
        words = [word for each in tree_of(started.process.pid) for word in each.cmdline()]
        [codec] = [word.removeprefix(option) for word in words if word.startswith(option)]
        ended = program.run("run", repository, "--json")
        assert ended.code == 1, ended.errors
        yield Encrypted(program, ended.document, codec)


def _shown(program: Program, run: str, *options: str) -> str:
    """What Temporal's command line shows of a run's payloads."""
    known = json.loads((program.state / "server.json").read_text("utf-8"))
    done = subprocess.run(
        [
            *(str(find("temporal")), "workflow", "show", "--workflow-id", run),
            *("--address", known["address"], "--output", "json", *options),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"HOME": str(program.folder / "home"), "PATH": os.environ["PATH"]},
    )
    payloads = []

    def collect(value: object) -> None:
        if isinstance(value, dict):
            payloads.append(base64.b64decode(value["data"]) if "metadata" in value else b"")
            for each in value.values():
                collect(each)
        elif isinstance(value, list):
            for each in value:
                collect(each)

    collect(json.loads(done.stdout))
    return b"\n".join(payloads).decode("utf-8", "replace")


def test_the_server_knows_nothing_of_the_run_and_the_codec_server_shows_it(
    encrypted: Encrypted,
) -> None:
    program, run = encrypted.program, encrypted.run
    [unit] = [each for each in run["stages"] if each["name"] == "unit"]
    assert unit["summary"].startswith(f"1 of 2 failing, first test_shop.py::test_{SECRET}")
    # Workflow ids and search attributes are how a run is found, and stay readable.
    stored = b"".join(path.read_bytes() for path in program.state.glob("temporal.db*"))
    assert run["workflow_id"].encode() in stored
    assert SECRET.encode() not in stored
    assert SECRET not in _shown(program, run["workflow_id"])
    decrypted = _shown(program, run["workflow_id"], "--codec-endpoint", encrypted.codec)
    assert "bubblewrap: is there a sandbox" in decrypted
    assert f"test_shop.py::test_{SECRET}" in decrypted


def test_without_the_key_a_run_is_not_read_and_that_is_said(encrypted: Encrypted) -> None:
    run, other = encrypted.run["workflow_id"], base64.urlsafe_b64encode(b"o" * 32).decode()
    for keys in ("", other):
        status = _with(encrypted.program, REGREEN_PAYLOAD_KEYS=keys).run("status", run)
        assert (status.code, status.output) == (2, "")
        assert status.errors.startswith("error: a payload is encrypted with the key ")
        assert status.errors.count("\n") == 1
    rotated = _with(encrypted.program, REGREEN_PAYLOAD_KEYS=f"{other} {KEY}")
    assert rotated.run("status", run).code == 0


def test_a_host_without_the_key_says_so_and_so_does_who_follows_the_run(
    program: Program, tmp_path: Path
) -> None:
    repository = plain_repository(tmp_path / "shop", FILES)
    with program.start("up") as host:
        host.wait_until_it_says("Ctrl-C ends it")

        with _with(program, REGREEN_PAYLOAD_KEYS=KEY).start("run", repository) as started:
            host.wait_until_it_says("error: a payload is encrypted with the key ")
            started.wait_until_it_says("note: no orchestrator gets pipeline/")


def test_the_codec_server_is_for_those_who_may(program: Program) -> None:
    without = program.run("codec")
    assert without.code == 2
    assert without.errors.startswith("error: REGREEN_PAYLOAD_KEYS is not set")
    wrong = _with(program, REGREEN_PAYLOAD_KEYS="words").run("codec")
    assert wrong.code == 2
    assert wrong.errors.startswith("error: REGREEN_PAYLOAD_KEYS: key 1 of 1 is not 32 bytes")
    open_to_all = _with(program, REGREEN_PAYLOAD_KEYS=KEY).run("codec", "--host", "0.0.0.0")
    assert open_to_all.code == 2
    assert "0.0.0.0 is not loopback: set REGREEN_CODEC_TOKEN" in open_to_all.errors
    guarded = _with(
        program,
        REGREEN_PAYLOAD_KEYS=KEY,
        REGREEN_CODEC_TOKEN="open sesame",
        REGREEN_UI="http://127.0.0.1:8233/",
    )
    with guarded.start("codec", "--port", "0") as started:
        started.wait_until_it_says("codec server: http://127.0.0.1:")
        address = started.said().split()[-1]
        request = urllib.request.Request(f"{address}/encode", b'{"payloads": [{"data": ""}]}')
        request.add_header("Origin", "http://127.0.0.1:8233")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=20)
        request.add_header("Authorization", "Bearer open sesame")
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert b"encryption-key-id" in answer.read()
            assert answer.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:8233"
        started.process.send_signal(signal.SIGTERM)
        assert started.wait().code == 0
    assert "open sesame" not in started.said()
