"""A Responses API on loopback that answers as scripted and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from tests.doubles.loopback import LoopbackHandler, address_of, served


@dataclass(frozen=True)
class Step:
    """The answer to one request. The last step answers all further requests, too."""

    text: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Sent as it is in place of a body made from `text`."""
    usage: tuple[int, int] | None = (1200, 80)
    """Input and output tokens; None leaves them out."""
    incomplete: str = ""
    """Why the answer ends early; empty when it does not."""
    hangs: bool = False
    """Never answer; wait until the client goes away."""
    trickles: bool = False
    """Answer a byte at a time, slowly, until the client goes away."""
    endless: bool = False
    """Go on sending `text` until the client goes away."""


@dataclass(frozen=True)
class Asked:
    """One request as it came in; names of headers in lower case."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


@dataclass
class Endpoint:
    """A running double. `base_url` belongs into OPENAI_BASE_URL."""

    base_url: str
    asked: list[Asked] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    """Set once a request is in."""
    abandoned: threading.Event = field(default_factory=threading.Event)
    """Set once the client of a hanging step has gone away."""


def response_body(
    text: str, model: str, usage: tuple[int, int] | None = (1200, 80), *, incomplete: str = ""
) -> dict[str, Any]:
    """A Response object that has ended, as OpenAI's API reference describes it."""
    status = "incomplete" if incomplete else "completed"
    body: dict[str, Any] = {
        "id": "resp_0001",
        "object": "response",
        "created_at": 1_760_000_000,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [
            {
                "id": "msg_0001",
                "type": "message",
                "role": "assistant",
                "status": status,
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            }
        ],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }
    if usage is not None:
        tokens_in, tokens_out = usage
        body["usage"] = {
            "input_tokens": tokens_in,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": tokens_out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens_in + tokens_out,
        }
    return body


def error_body(message: str, code: str | None = None) -> bytes:
    """An error as OpenAI's API answers with it."""
    error = {"message": message, "type": "error", "param": None, "code": code}
    return json.dumps({"error": error}).encode()


@contextmanager
def openai_endpoint(steps: Sequence[Step] | Callable[[Asked], Step]) -> Iterator[Endpoint]:
    """Serve `POST /v1/responses` on a free loopback port until the block ends.

    The answers are a sequence, or a function of what was asked.
    """
    stopping = threading.Event()
    lock = threading.Lock()

    class Handler(LoopbackHandler):
        # A connection for each request: what is cut off or has no end leaves nothing behind.
        protocol_version = "HTTP/1.0"

        def do_POST(self) -> None:
            names = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(self.content())
            asked = Asked(self.path, names, body)
            with lock:
                endpoint.asked.append(asked)
                if callable(steps):
                    step = steps(asked)
                else:
                    step = steps[min(len(endpoint.asked), len(steps)) - 1]
            endpoint.arrived.set()
            if step.hangs:
                if self.client_leaves(stopping.is_set):
                    endpoint.abandoned.set()
            elif self.path == "/v1/responses":
                self._answer(step, body["model"])
            else:
                self._answer(Step(status=404, body=error_body("no such address")), "")

        def _answer(self, step: Step, model: str) -> None:
            content = step.body
            if content is None:
                answer = response_body(step.text, model, step.usage, incomplete=step.incomplete)
                content = json.dumps(answer).encode()
            self.send_response(step.status)
            headers = {"content-type": "application/json", **step.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            if not step.endless:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            try:
                if step.endless:
                    self._send_without_end(step)
                elif step.trickles:
                    self._send_slowly(content)
                else:
                    self.wfile.write(content)
            except OSError:
                endpoint.abandoned.set()

        def _send_without_end(self, step: Step) -> None:
            data = step.text.encode() * 10_000
            if step.headers.get("transfer-encoding") == "chunked":
                data = b"%x\r\n%b\r\n" % (len(data), data)
            self.close_connection = True
            while not stopping.is_set():
                self.wfile.write(data)

        def _send_slowly(self, content: bytes) -> None:
            for place in range(len(content)):
                if stopping.wait(0.05):
                    return
                self.wfile.write(content[place : place + 1])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint = Endpoint(f"{address_of(server)}/v1")
    with served(server):
        try:
            yield endpoint
        finally:
            stopping.set()
