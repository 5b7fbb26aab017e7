"""pypiserver on loopback, which fails when it is told to."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pypiserver

from tests.doubles.loopback import address_of, served

USERNAME, PASSWORD = "publisher", "of-the-test"


@dataclass
class PackageIndex:
    """A running index. `url` takes uploads, `simple` is what users install from."""

    url: str
    simple: str
    folder: Path
    fails: list[str] = field(default_factory=list)
    """Each is used up by one upload: it answers 500 `before` or `after` it was stored, or is stored
    and answers nothing for half a minute: `silent`, or answers 409 where pypiserver, as PyPI,
    tells twine 400: `conflict`."""
    removals: list[str] = field(default_factory=list)
    """Each is used up by one `remove_pkg`, and is the status that it is answered with; `yank`: it
    is yanked, as by an index that can do that."""
    yanked: bool = False
    """Whether the pages say of each file that it is yanked."""
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    """Each is used up by one upload: what somebody else does before it is stored."""
    uploads: list[str] = field(default_factory=list)
    """The status of each upload."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def _with_yanks(
    application: Callable[..., Iterable[bytes]], environ: dict[str, Any], start: Callable[..., Any]
) -> Iterable[bytes]:
    """The page with every link yanked, as PEP 592 has it."""
    begun: list[Any] = []
    body = b"".join(application(environ, lambda *given: begun.extend(given)))
    body = body.replace(b"<a ", b'<a data-yanked="" ')
    others = [each for each in begun[1] if each[0].lower() != "content-length"]
    start(begun[0], [*others, ("Content-Length", str(len(body)))])
    return [body]


@contextmanager
def package_index(folder: Path, port: int = 0) -> Iterator[PackageIndex]:
    """Serve the packages in a folder until the block ends."""
    folder.mkdir(exist_ok=True)
    ended = threading.Event()
    application = pypiserver.app(
        roots=[folder],
        authenticate=["update"],
        auther=lambda username, password: (username, password) == (USERNAME, PASSWORD),
    )

    def failing(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST":
            return (
                _with_yanks(application, environ, start)
                if index.yanked
                else application(environ, start)
            )
        if "urlencoded" in environ.get("CONTENT_TYPE", "") and index.removals:
            status = index.removals.pop(0)
            index.yanked = status == "yank"
            start("200 OK" if index.yanked else status, [("Content-Length", "0")])
            return []
        fault = index.fails.pop(0) if index.fails else ""
        if index.meanwhile:
            index.meanwhile.pop(0)()
        if fault == "before":
            index.uploads.append("500 before")
            start("500 Server Error", [("Content-Length", "0")])
            return []

        def noting(status: str, headers: Any, info: Any = None) -> Any:
            if fault == "conflict":
                status = status.replace("400 Bad Request", "409 Conflict")
            index.uploads.append(status)
            if fault == "after":
                return start("500 Server Error", [("Content-Length", "0")], info)
            return start(status, headers, info)

        answer = application(environ, noting)
        if fault == "silent":
            ended.wait(30)
        return [] if fault == "after" else answer

    server = make_server("127.0.0.1", port, failing, _Server, _Quiet)
    address = address_of(server)
    index = PackageIndex(f"{address}/", f"{address}/simple/", folder)
    with served(server):
        try:
            yield index
        finally:
            ended.set()
