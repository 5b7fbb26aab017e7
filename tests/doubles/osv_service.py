"""A service with OSV's API on loopback (google.github.io/osv.dev/api), which can misbehave.

It answers `/v1/query`, `/v1/querybatch` and `/v1/vulns/ID` from the same advisories as trivy's
database.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from packaging.specifiers import SpecifierSet

from tests.doubles.advisory_database import Advisory


@dataclass
class OsvService:
    """A running service."""

    url: str
    advisories: tuple[Advisory, ...]
    queries: list[dict[str, Any]] = field(default_factory=list)
    """What was asked for in batches."""
    single: list[dict[str, Any]] = field(default_factory=list)
    """What was asked for alone."""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """By path: status and body that are sent in place of the right ones."""
    failures: int = 0
    """How many requests are answered with 503 before the first good answer."""
    failing_queries: int = 0
    """How many single queries are answered with 503 before the first good answer."""
    page: int = 100
    """How many records a query is answered with at once."""
    silent: threading.Event = field(default_factory=threading.Event)
    """While it is clear, nothing is answered."""


@contextmanager
def osv_service(*advisories: Advisory) -> Iterator[OsvService]:
    """Serve records of these advisories until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/v1/query":
                service.single.append(asked)
                if service.failing_queries:
                    service.failing_queries -= 1
                    service.failures = 1
                self._answer(_with_records(service, _found(service, asked)))
                return
            service.queries.extend(asked["queries"])
            self._answer({"results": [_found(service, query) for query in asked["queries"]]})

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            self._answer(_known(service).get(name))

        def _answer(self, document: Any) -> None:
            service.silent.wait(60)
            status, body = 200 if document is not None else 404, json.dumps(document).encode()
            status, body = service.answers.get(self.path, (status, body))
            if service.failures:
                service.failures -= 1
                status, body = 503, b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service = OsvService(f"http://127.0.0.1:{server.server_port}", advisories)
    service.silent.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()


def record_of(advisory: Advisory) -> dict[str, Any]:
    """The record of an advisory (ossf.github.io/osv-schema)."""
    events = [{"introduced": "0"}, {"fixed": advisory.fixed}]
    record = {
        "id": advisory.osv or advisory.name,
        "modified": "2026-01-01T00:00:00Z",
        "aliases": [advisory.name] if advisory.osv else [],
        "summary": advisory.title,
        "affected": [
            {
                "package": {"ecosystem": advisory.ecosystem, "name": advisory.package},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ],
    }
    if advisory.severity != "UNKNOWN":
        word = "MODERATE" if advisory.severity == "MEDIUM" else advisory.severity
        record["database_specific"] = {"severity": word}
    return record


def _known(service: OsvService) -> dict[str, dict[str, Any]]:
    return {record["id"]: record for record in map(record_of, service.advisories)}


def _with_records(service: OsvService, found: dict[str, Any]) -> dict[str, Any]:
    """An answer to a single query: whole records, and no `vulns` where there are none."""
    if not found["vulns"]:
        return {}
    known = _known(service)
    return found | {"vulns": [known[each["id"]] for each in found["vulns"]]}


def _found(service: OsvService, query: dict[str, Any]) -> dict[str, Any]:
    package = query["package"]
    names = [
        each.osv or each.name
        for each in service.advisories
        if (each.ecosystem, each.package) == (package["ecosystem"], package["name"])
        and query["version"] in SpecifierSet(each.vulnerable)
    ]
    start = int(query.get("page_token", 0))
    end = start + service.page
    found: dict[str, Any] = {"vulns": [{"id": name} for name in names[start:end]]}
    return found | {"next_page_token": str(end)} if end < len(names) else found
