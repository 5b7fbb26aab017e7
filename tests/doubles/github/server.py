"""GitHub's REST API on loopback: stateful, and as strict as GitHub's own description of it.

An operation is a function in `_ANSWERS` by its operation id. A request or an answer that breaks
the description is kept in `GithubDouble.violations`, which the block's end asserts to be empty.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.doubles.github.contract import contract
from tests.doubles.github.release_answers import ANSWERS as RELEASES
from tests.doubles.github.request import Answer, Asked
from tests.doubles.github.state import State

_ANSWERS: dict[str, Callable[[State, Asked], Answer]] = {**RELEASES}


@dataclass
class GithubDouble:
    """A running double. `address` belongs into GITHUB_API_URL."""

    address: str
    state: State
    asked: list[str] = field(default_factory=list)
    """Operation ids in the order of the requests."""
    violations: list[str] = field(default_factory=list)
    fails: list[tuple[str, str]] = field(default_factory=list)
    """Operation id and `before` or `after`: answers 500 once, before or after it was done."""
    refuses: dict[str, int] = field(default_factory=dict)
    """Operation id, and the status that it is always answered with."""
    held: dict[str, threading.Event] = field(default_factory=dict)
    """Operation id, and what its requests wait for, half a minute at most, before they are done."""


@contextmanager
def github_double(repository: str, port: int = 0) -> Iterator[GithubDouble]:
    """Serve one repository on a loopback port until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _answer(self) -> None:
            url = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            operation = contract().find(self.command, url.path)
            if operation is None:
                double.violations.append(f"{self.command} {url.path} is no operation it knows")
                self._send(Answer(404, {"message": "Not Found"}))
                return
            upload = operation.identifier == "repos/upload-release-asset"
            body = raw if upload else (json.loads(raw) if raw else None)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            headers = {key.lower(): value for key, value in self.headers.items()}
            asked = Asked(operation.parameters, query, headers, body)
            double.asked.append(operation.identifier)
            if operation.identifier in double.held:
                double.held[operation.identifier].wait(30)
            with lock:
                if not upload:
                    double.violations += contract().request_problems(operation, body)
                if "authorization" not in headers:
                    double.violations.append(f"{operation.identifier} without a token")
                name = operation.identifier
                if (name, "before") in double.fails:
                    double.fails.remove((name, "before"))
                    answer = Answer(500, {"message": "Server Error"})
                elif name in double.refuses:
                    answer = Answer(double.refuses[name], {"message": "Not for you"})
                else:
                    answer = _ANSWERS[name](double.state, asked)
                    if answer.content is None:
                        double.violations += contract().response_problems(
                            operation, answer.status, answer.body
                        )
                    if (name, "after") in double.fails:
                        double.fails.remove((name, "after"))
                        answer = Answer(500, {"message": "Server Error"})
            self._send(answer)

        def _send(self, answer: Answer) -> None:
            content = answer.content
            if content is None:
                content = b"" if answer.body is None else json.dumps(answer.body).encode()
            kind = "application/octet-stream" if answer.content else "application/json"
            self.send_response(answer.status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._answer)
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    address = f"http://127.0.0.1:{server.server_port}"
    double = GithubDouble(address, State(address, repository))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield double
        assert double.violations == []
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
