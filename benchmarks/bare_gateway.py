"""What the gateway is compared with: a handler that checks the signature and answers.

python -m benchmarks.bare_gateway PORT SECRET
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from regreen.webhooks.verification import verify_github

_PORT, _SECRET = sys.argv[1:]


async def take(request: Request) -> Response:
    """Verify and answer; Unverified is a failure of the benchmark."""
    verify_github(dict(request.headers), await request.body(), (_SECRET,))
    return JSONResponse({"accepted": []}, 202)


async def healthz(request: Request) -> Response:
    """That it is there."""
    return JSONResponse({"status": "ok"})


if __name__ == "__main__":
    uvicorn.run(
        Starlette(
            routes=[Route("/webhooks/github", take, methods=["POST"]), Route("/healthz", healthz)]
        ),
        host="127.0.0.1",
        port=int(_PORT),
        log_level="warning",
        access_log=False,
    )
