"""The HTTP server around the interface."""

import json
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from storefront.api import Document, answer
from storefront.database import Database
from storefront.errors import StoreError, invalid

LARGEST_BODY = 64 * 1024


class StoreServer(ThreadingHTTPServer):
    """A server on the loopback interface, with a thread per connection."""

    # The default of five waiting connections refuses customers who arrive together.
    request_queue_size = 128

    def __init__(self, port: int, database: Database) -> None:
        """Listen on that port, or on any free one for 0."""
        super().__init__(("127.0.0.1", port), RequestHandler)
        self.database = database

    @property
    def url(self) -> str:
        """The address that the server listens on."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class RequestHandler(BaseHTTPRequestHandler):
    """Reads requests from one connection and writes the answers as JSON."""

    server: StoreServer
    protocol_version = "HTTP/1.1"
    timeout = 30
    # Head and body leave in one packet and at once. Two small packets would make each answer wait
    # for the client's delayed acknowledgement, about 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer any method: which of them a path knows is the interface's decision."""
        try:
            body = self._read_body()
            status, document = answer(
                self.server.database, self.command, urlsplit(self.path).path, body
            )
        except StoreError as error:
            status, document = error.status, _error_document(error.code, str(error))
        except Exception:
            traceback.print_exc(file=sys.stderr)
            status, document = 500, _error_document("internal", "the shop failed to answer")
        self._write(status, document)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the base class cannot understand, as JSON, and hang up."""
        self.close_connection = True
        self._write(code, _error_document("invalid", message or "the request cannot be understood"))

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep quiet about ordinary requests; errors are still written."""

    def _read_body(self) -> Any:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            raise invalid("the body needs a Content-Length")
        if int(length) > LARGEST_BODY:
            self.close_connection = True
            raise StoreError(413, "too_large", f"the body is larger than {LARGEST_BODY} bytes")
        content = self.rfile.read(int(length))
        if not content:
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise invalid("the body is not valid JSON") from error

    def _write(self, status: int, document: Document) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


def _error_document(code: str, message: str) -> Document:
    return {"error": {"code": code, "message": message}}
