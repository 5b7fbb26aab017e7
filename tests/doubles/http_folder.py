"""A server on loopback that keeps what is PUT to it, as WebDAV servers do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

from tests.doubles.loopback import LoopbackHandler, address_of, served


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

    class Handler(LoopbackHandler):
        def do_PUT(self) -> None:
            content = self.content()
            fault = folder.fails.pop(0) if folder.fails else ""
            if self.headers.get("authorization") != folder.authorization:
                self.reply(401)
            elif fault == "before":
                self.reply(500)
            elif self.headers.get("if-none-match") == "*" and self.path in folder.files:
                self.reply(412)
            else:
                folder.files[self.path] = content
                folder.writes.append(self.path)
                self.reply(500 if fault == "after" else 201)

        def do_GET(self) -> None:
            content = folder.serves.get(self.path, folder.files.get(self.path))
            self.reply(404) if content is None else self.reply(200, content)

        def do_DELETE(self) -> None:
            refused = [each for end, each in folder.refuses.items() if self.path.endswith(end)]
            if refused:
                self.reply(refused[0])
                return
            self.reply(404 if folder.files.pop(self.path, None) is None else 204)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    folder = HttpFolder(address_of(server))
    with served(server):
        yield folder
