"""Code of a repository that looks for the signing key: it finds nothing, wherever it looks."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.k6 import run_load_test
from activities.packaging import package_distribution
from activities.sandbox import isolation
from activities.signing_key import own_key
from activities.test_stage import run_tests
from regreen.pipeline_file import LoadSection, Pipeline
from regreen.tools.locate import find
from tests.integration.gate_repository import Files, stage_request, weighed
from tests.integration.wheel_project import need

# The searched-for words stand backwards in it, so that it does not find itself.
PROBE = """
import ctypes, os, re, socket, stat, urllib.request
KEYS = [word[::-1].encode() for word in WORDS]
FOUND = []

def look(where, data):
    FOUND.extend(where for key in KEYS if key in data)

def read(path, size=1 << 20):
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return b""

def ask(where, address):
    try:
        with socket.socket(socket.AF_UNIX) as careless:
            careless.settimeout(5)
            careless.connect(address)
            careless.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            look(where, b"".join(iter(lambda: careless.recv(4096), b"")))
    except OSError:
        pass

look("environment", repr(dict(os.environ)).encode())
for top in (STATE, os.path.expanduser("~"), "/workspace", "/results", "/environment", "/run"):
    for base, _, names in os.walk(top):
        for name in names:
            path = os.path.join(base, name)
            if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
                ask(f"socket {path}", path)
            else:
                look(f"file {path}", read(path))
ask("abstract socket", chr(0) + ABSTRACT)
PTRACE_SEIZE = 0x4206
if ctypes.CDLL(None).ptrace(PTRACE_SEIZE, WORKER, None, None) == 0:
    FOUND.append("ptrace of the worker")
for process in filter(str.isdigit, os.listdir("/proc")):
    look(f"environment of {process}", read(f"/proc/{process}/environ"))
    look(f"arguments of {process}", read(f"/proc/{process}/cmdline"))
    if int(process) != os.getpid() and int(process) in (WORKER, os.getppid()):
        try:
            maps = open(f"/proc/{process}/maps").read()
            with open(f"/proc/{process}/mem", "rb", 0) as memory:
                for line in maps.splitlines():
                    span = re.match("([0-9a-f]+)-([0-9a-f]+) rw", line)
                    if span:
                        start, end = (int(part, 16) for part in span.groups())
                        try:
                            memory.seek(start)
                            look(f"memory of {process}", memory.read(min(end - start, 1 << 26)))
                        except (OSError, OverflowError, ValueError):
                            pass
        except OSError:
            pass
for proxies in (None, {}):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    for name in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", socket.gethostname()):
        try:
            look("loopback", opener.open(f"http://{name}:{PORT}/", timeout=5).read())
        except OSError:
            pass
"""


@dataclass(frozen=True)
class Secret:
    """Where the key lies, its words, and careless services that give it to anyone: on loopback, as
    Temporal's server and a vault are, and on Unix sockets, as docker is."""

    state: Path
    words: tuple[str, ...]
    port: int
    abstract: str

    def probe(self) -> str:
        """A program that leaves in `FOUND` where it found the key."""
        known = {
            "WORDS": [word[::-1] for word in self.words],
            "STATE": str(self.state),
            "WORKER": os.getpid(),
            "PORT": self.port,
            "ABSTRACT": self.abstract,
        }
        return "".join(f"{name} = {value!r}\n" for name, value in known.items()) + PROBE


@pytest.fixture
async def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Secret]:
    need("cosign", "bubblewrap", "uv", "k6")
    assert isolation().kind == "bubblewrap", isolation().reason
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    cosign = find("cosign")
    assert cosign is not None
    folder = await own_key(cosign)
    words = (
        (folder / "cosign.key").read_text().splitlines()[2],
        (folder / "password").read_text(),
    )
    # As it is while cosign runs, and more: in the worker's own environment.
    monkeypatch.setenv("COSIGN_PASSWORD", words[1])

    class Careless(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write("\n".join(words).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Careless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    abstract = f"regreen-{uuid.uuid4().hex}"

    async def careless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write("\n".join(words).encode())
        await writer.drain()
        writer.close()

    async with (
        await asyncio.start_unix_server(careless, tmp_path / "state" / "careless.sock"),
        await asyncio.start_unix_server(careless, f"\0{abstract}"),
    ):
        yield Secret(tmp_path / "state", words, server.server_address[1], abstract)
    await asyncio.to_thread(server.shutdown)
    server.server_close()


async def test_outside_of_the_sandbox_the_search_finds_it_everywhere(secret: Secret) -> None:
    probe = f"{secret.probe()}\nimport json; print(json.dumps(FOUND))"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-"],
        input=probe.encode(),
        env={**os.environ, "HOME": str(secret.state)},
        capture_output=True,
        check=True,
    )
    kinds = {where.split()[0] for where in json.loads(done.stdout)}
    assert kinds >= {"environment", "file", "socket", "abstract", "loopback"}
    if os.geteuid() == 0:
        assert kinds >= {"memory", "ptrace"}


async def test_conftest_does_not_find_it(secret: Secret, tmp_path: Path) -> None:
    files: Files = {
        "conftest.py": secret.probe(),
        "test_shop.py": "import conftest\n\ndef test_found():\n    assert conftest.FOUND == []\n",
    }
    request = await stage_request(tmp_path / "repository", "unit", Pipeline(), [files])
    report = await ActivityEnvironment().run(run_tests, request)
    assert (report.outcome, report.passed) == ("passed", 1), report.failures or report.detail


async def test_setup_py_does_not_find_it(secret: Secret, tmp_path: Path) -> None:
    # A build may have the network, through a proxy that keeps this machine out.
    setup = (
        secret.probe()
        + "if FOUND:\n    raise RuntimeError(f'found: {FOUND}')\n"
        + "from setuptools import setup\n"
        + "setup(name='shop', version='1.0', py_modules=['shop'])\n"
    )
    files: Files = {"setup.py": setup, "shop.py": "PRICE = 3\n"}
    request = await stage_request(tmp_path / "repository", "package", Pipeline(), [files])
    scan = await ActivityEnvironment().run(package_distribution, request)
    # A build that found it has failed.
    assert scan.problem == ""
    assert scan.examined == 2


async def test_a_load_test_does_not_find_it(secret: Secret, tmp_path: Path) -> None:
    places = [
        *(str(path) for path in (secret.state / "keys" / "release").iterdir()),
        f"/proc/{os.getpid()}/environ",
        f"/proc/{os.getpid()}/mem",
        "/proc/1/environ",
        "/proc/self/environ",
    ]
    script = f"""\
import http from 'k6/http';
import {{ check }} from 'k6';
export const options = {{ iterations: 1, thresholds: {{ checks: ['rate==1'] }} }};
const words = {json.dumps([word[::-1] for word in secret.words])}
    .map((word) => word.split('').reverse().join(''));
let seen = JSON.stringify(__ENV);
for (const place of {json.dumps(places)}) {{
    try {{ seen += open(place); }} catch (error) {{ /* as it should be */ }}
}}
export default function () {{
    seen += http.get('http://127.0.0.1:{secret.port}/').body || '';
    check(seen, {{ 'no key': (text) => words.every((word) => !text.includes(word)) }});
}}
"""
    load = LoadSection.model_validate({"script": "load.js", "timeout": 60.0})
    request = await stage_request(
        tmp_path / "repository", "load", Pipeline(load=load), [{"load.js": script}]
    )
    gate = await weighed(request, await run_load_test(request))
    assert not [finding for finding in gate.scan.findings if finding.rule == "crossed-threshold"]
    assert "1 of 1 thresholds kept" in gate.summary, gate.summary
