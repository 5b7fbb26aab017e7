"""What the doubles over HTTP have in common: how they answer, and where they run."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class LoopbackHandler(BaseHTTPRequestHandler):
    """Keeps connections open between requests, and logs nothing."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def content(self) -> bytes:
        """The request's body."""
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def reply(
        self, status: int, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer the request."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        # RFC 9110, 8.6: not with this status.
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def client_leaves(self, given_up: Callable[[], bool]) -> bool:
        """Answer nothing until the client goes away; False when the double gave up before that."""
        self.close_connection = True
        self.connection.settimeout(0.05)
        while not given_up():
            try:
                if not self.connection.recv(1):
                    return True
            except TimeoutError:
                continue
            except OSError:
                return True
        return False

    def log_message(self, *_: Any) -> None:
        pass


def address_of(server: HTTPServer) -> str:
    """Such as `http://127.0.0.1:40321`."""
    return f"http://127.0.0.1:{server.server_port}"


@contextmanager
def served(server: HTTPServer) -> Iterator[None]:
    """Answer what comes to a server's port until the block ends."""
    # How soon it hears that it is to end; half a second by default, for each test.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
