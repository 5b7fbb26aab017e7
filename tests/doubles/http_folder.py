"""A server on loopback that keeps what is PUT to it, as WebDAV servers do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class HttpFolder:
    """A running server. Files are under their paths, and stay as they are once written."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    """Path of each PUT that was stored."""
    fails: list[str] = field(default_factory=list)
    """Each is used up by one PUT: `before` or `after` it is stored the answer is 500."""
    authorization: str = "Bearer of the test"
    refuses: dict[str, int] = field(default_factory=dict)
    """Status of each DELETE whose path ends so."""
    serves: dict[str, bytes] = field(default_factory=dict)
    """What readers get in place of what was stored."""


@contextmanager
def http_folder(port: int = 0) -> Iterator[HttpFolder]:
    """Serve on a loopback port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            fault = folder.fails.pop(0) if folder.fails else ""
            if self.headers.get("authorization") != folder.authorization:
                self._send(401)
            elif fault == "before":
                self._send(500)
            elif self.headers.get("if-none-match") == "*" and self.path in folder.files:
                self._send(412)
            else:
                folder.files[self.path] = content
                folder.writes.append(self.path)
                self._send(500 if fault == "after" else 201)

        def do_GET(self) -> None:
            content = folder.serves.get(self.path, folder.files.get(self.path))
            self._send(404) if content is None else self._send(200, content)

        def do_DELETE(self) -> None:
            refused = [each for end, each in folder.refuses.items() if self.path.endswith(end)]
            if refused:
                self._send(refused[0])
                return
            self._send(404 if folder.files.pop(self.path, None) is None else 204)

        def _send(self, status: int, content: bytes = b"") -> None:
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    folder = HttpFolder(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield folder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
