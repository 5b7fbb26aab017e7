"""A real server process for every test module, and a client that speaks HTTP to it."""

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The address of a server that runs this source and a database of its own."""
    database = tmp_path_factory.mktemp("shop") / "storefront.sqlite3"
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")]))
    server = subprocess.Popen(
        [sys.executable, "-m", "storefront", "--port", "0", "--database", str(database)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    # A server that never speaks must not hold up the tests.
    watchdog = threading.Timer(60, server.kill)
    watchdog.start()
    try:
        greeting = server.stdout.readline()
        assert "listens on http://127.0.0.1:" in greeting, f"the server said {greeting!r}"
        yield greeting.split()[-1]
        server.terminate()
        assert server.wait() == 0
    finally:
        watchdog.cancel()
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.fixture
def request_json(shop):
    """A function that sends a request and gives back status and document."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send(method, path, body=None, content=None):
        if body is not None:
            content = json.dumps(body).encode()
        request = urllib.request.Request(shop + path, data=content, method=method)
        try:
            with opener.open(request, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return send
