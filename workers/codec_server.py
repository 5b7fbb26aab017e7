"""The codec server: encrypts and decrypts payloads over HTTP for Temporal's web UI and tool.

The protocol is Temporal's: `POST …/encode` and `…/decode` with `{"payloads": […]}` as JSON of
protobuf, https://docs.temporal.io/codec-server. Whoever may ask it can read what is encrypted.
"""

import asyncio
import contextlib
import hmac
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING

from google.protobuf import json_format
from temporalio.api.common.v1 import Payloads
from temporalio.converter import PayloadCodec

from workers.payload_codec import UnreadablePayload

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

# What a page of the web UI asks for holds at most a history's page, which gRPC limits to 4 MiB.
_MOST_BYTES = 32 << 20
_HEADERS = ("Authorization", "Authorization-Extras", "Content-Type", "X-Namespace")


def codec_application(
    codec: PayloadCodec, *, origins: Sequence[str] = (), token: str | None = None
) -> "FastAPI":
    """The application. Pages of `origins` may ask it, and programs; with `token`, who sends it.

    Keys are the same for all namespaces, so that `X-Namespace` is not looked at.
    """
    # Only this needs it, and it takes a third of a second.
    from fastapi import FastAPI, Request, Response
    from fastapi.middleware.cors import CORSMiddleware
    from fastapi.responses import PlainTextResponse

    application = FastAPI(openapi_url=None)
    application.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["POST"],
        allow_headers=list(_HEADERS),
    )

    # As the protocol has it, only the last part of the path counts.
    @application.post("/{path:path}")
    async def answer(request: Request, path: str) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and origin not in origins:
            # A page of a name that was made to mean this address sends its own.
            return PlainTextResponse("this origin may not ask\n", 403)
        if not _is_allowed(request.headers.get("authorization", ""), token):
            return PlainTextResponse(
                "a bearer token is needed\n", 401, {"WWW-Authenticate": "Bearer"}
            )
        action = path.rpartition("/")[2]
        if action not in ("encode", "decode"):
            return PlainTextResponse("POST to /encode or /decode\n", 404)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return PlainTextResponse(f"at most {_MOST_BYTES} bytes\n", 413)
        try:
            given = json_format.Parse(bytes(body), Payloads(), ignore_unknown_fields=True).payloads
            done = await (codec.encode(given) if action == "encode" else codec.decode(given))
        except (json_format.ParseError, UnicodeDecodeError, RecursionError):
            return PlainTextResponse("the body is not Temporal's Payloads as JSON\n", 400)
        except UnreadablePayload as error:
            return PlainTextResponse(f"{error}\n", 400)
        text = json_format.MessageToJson(Payloads(payloads=done), indent=None)
        return Response(text, media_type="application/json")

    return application


@contextlib.asynccontextmanager
async def serving(application: "FastAPI", listener: socket.socket) -> AsyncIterator[None]:
    """Serve the application on a bound socket until the block ends."""
    server = _server(application)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens at a host's port; 0 is any free one. Raises OSError."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def _is_allowed(authorization: str, token: str | None) -> bool:
    if token is None:
        return True
    kind, _, given = authorization.partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


def _server(application: "FastAPI") -> "uvicorn.Server":
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # The process that it is a part of has its own way to end.
            yield

    return Server(
        uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=3,
        )
    )
