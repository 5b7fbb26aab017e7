"""The gateway's pages: a webhook for each provider, health, metrics.

Answers are part of the interface; docs/gateway.md lists them.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from regreen.contracts.forge_event import ForgeEvent, Provider
from regreen.webhooks.reading import MalformedEvent
from regreen.webhooks.verification import Unverified
from starters.gateway.body import Bodies, document_of
from starters.gateway.handover import NotTaken
from starters.gateway.logs import log_event
from starters.gateway.metrics import Metrics
from starters.gateway.providers import PROVIDERS, delivery_id, read_events
from starters.gateway.refusal import Refused

HandOver = Callable[[Sequence[ForgeEvent]], Awaitable[None]]
"""Returns when Temporal has taken the events. Raises NotTaken."""

_JSON = "application/json"
_RETRY_SECONDS = "10"


def application(
    secrets: Mapping[Provider, Sequence[str]],
    hand_over: HandOver,
    is_ready: Callable[[], Awaitable[bool]],
    *,
    unsigned: bool = False,
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """The application. With `unsigned`, providers that have no secret are believed.

    `clock` gives the seconds since the epoch by which signed times are judged.
    """
    app = FastAPI(title="Regreen webhook gateway", docs_url=None, redoc_url=None, openapi_url=None)
    metrics = Metrics()
    intake = _Intake(secrets, hand_over, metrics, unsigned, clock)

    def webhook(provider: Provider) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await intake.answer(provider, request)

        return endpoint

    for provider in PROVIDERS:
        path = f"/webhooks/{provider}"
        app.add_api_route(path, webhook(provider), methods=["POST"], name=provider, status_code=202)

    @app.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz")
    async def readyz() -> Response:
        ready = await is_ready()
        said = "ok" if ready else "Temporal does not answer"
        return JSONResponse({"status": said}, 200 if ready else 503)

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


class _Intake:
    def __init__(
        self,
        secrets: Mapping[Provider, Sequence[str]],
        hand_over: HandOver,
        metrics: Metrics,
        unsigned: bool,
        clock: Callable[[], float],
    ) -> None:
        self._secrets = secrets
        self._hand_over = hand_over
        self._metrics = metrics
        self._unsigned = unsigned
        self._clock = clock
        self._bodies = Bodies()

    async def answer(self, provider: Provider, request: Request) -> Response:
        """Take a delivery, or say why not."""
        started = time.perf_counter()
        try:
            accepted = await self._take(provider, request)
        except Refused as refused:
            self._metrics.refused.labels(provider, refused.reason).inc()
            log_event(
                "refused",
                level=logging.INFO if refused.status == 204 else logging.WARNING,
                provider=provider,
                status=refused.status,
                reason=refused.reason,
                message=str(refused)[:300],
            )
            return _answer_of(refused)
        finally:
            self._metrics.seconds.labels(provider).observe(time.perf_counter() - started)
        self._metrics.accepted.labels(provider).inc()
        return JSONResponse({"accepted": accepted}, 202)

    async def _take(self, provider: Provider, request: Request) -> list[str]:
        """The identities of the events that Temporal has taken. Raises Refused."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        async with self._bodies.raw(request, PROVIDERS[provider].largest) as body:
            self._verify(provider, headers, body)
            if headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
                raise Refused(415, "content-type", f"the content type has to be {_JSON}")
            document = document_of(body)
        delivery = delivery_id(provider, headers, document)
        try:
            events = read_events(provider, headers, document)
        except MalformedEvent as error:
            raise Refused(400, "malformed", str(error)) from error
        if not events:
            raise Refused(204, "declined", f"delivery {delivery}")
        told: dict[str, Any] = {"provider": provider, "delivery": delivery}
        told["repository"] = events[0].repository
        try:
            with self._metrics.in_flight.track_inprogress():
                await self._hand_over(events)
        except NotTaken as error:
            log_event("not taken", level=logging.ERROR, **told, error=str(error)[:300])
            raise Refused(503, "not-taken", "Temporal has not taken it; deliver again") from error
        identities = [event.identity for event in events]
        log_event("accepted", **told, identities=identities)
        return identities

    def _verify(self, provider: Provider, headers: Mapping[str, str], body: bytes) -> None:
        known = self._secrets.get(provider, ())
        if self._unsigned and not known:
            return
        try:
            PROVIDERS[provider].verify(headers, body, known, self._clock())
        except Unverified as error:
            raise Refused(401, "unverified", str(error)) from error


def _answer_of(refused: Refused) -> Response:
    if refused.status == 204:
        return Response(status_code=204)
    # Who is not verified learns nothing of why.
    said = "not verified" if refused.status == 401 else str(refused)
    headers = {"Retry-After": _RETRY_SECONDS} if refused.status == 503 else None
    return JSONResponse({"refused": said}, refused.status, headers=headers)
