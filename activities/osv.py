"""Asking a service with OSV's API (google.github.io/osv.dev/api) about components.

Only names and versions are sent, to the address that the operator has named. The answers are
counted: a service that leaves a component out has not been asked about it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError

from activities.bounded_response import BoundedResponses
from activities.components import ECOSYSTEMS, Component
from activities.finding import one_line
from activities.osv_record import Record

_BATCH = 500
_PAGES = 50
_MOST_RECORDS = 1000
_SIDE_BY_SIDE = 8
_TRIES = 3
_LONGEST = 16 << 20
_TIMEOUT = httpx2.Timeout(60.0)


class _Mention(BaseModel):
    id: str


class _Answer(BaseModel):
    vulns: list[_Mention] = []
    next_page_token: str = ""


class _Answers(BaseModel):
    results: list[_Answer]


class NoAnswer(Exception):
    """The service did not say what was asked for; the message is one line."""


@dataclass(frozen=True)
class _Question:
    component: int
    page: str = ""


async def records_about(url: str, components: Sequence[Component]) -> list[list[Record]]:
    """For each component the records that the service at `url` names, the withdrawn ones left out.

    Raises NoAnswer when the service does not answer in full, within three tries for each request.
    """
    bounded = BoundedResponses(_LONGEST)
    # Redirects are not followed: the operator named this address and no other.
    async with httpx2.AsyncClient(
        timeout=_TIMEOUT,
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [bounded]},
    ) as client:
        mentioned = await _mentioned(client, url, components)
        names = sorted({name for found in mentioned for name in found})
        if len(names) > _MOST_RECORDS:
            raise NoAnswer(f"names {len(names):,} records, more than {_MOST_RECORDS:,}")
        free = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def fetched(name: str) -> Record:
            async with free:
                return await _record(client, url, name)

        known = dict(zip(names, await asyncio.gather(*map(fetched, names)), strict=True))
    return [
        [known[name] for name in sorted(found) if not known[name].withdrawn] for found in mentioned
    ]


async def _mentioned(
    client: httpx2.AsyncClient, url: str, components: Sequence[Component]
) -> list[set[str]]:
    """By component: the identifiers of the records about it."""
    found: list[set[str]] = [set() for _ in components]
    questions = [_Question(number) for number in range(len(components))]
    for _ in range(_PAGES):
        if not questions:
            return found
        batch, questions = questions[:_BATCH], questions[_BATCH:]
        queries = [_query(components[each.component], each.page) for each in batch]
        data = await _ask(client, "POST", f"{url}/v1/querybatch", {"queries": queries})
        try:
            answers = _Answers.model_validate_json(data).results
        except ValidationError as error:
            raise NoAnswer("no readable answer from /v1/querybatch") from error
        if len(answers) != len(batch):
            raise NoAnswer(f"{len(answers)} answers to {len(batch)} questions")
        for question, answer in zip(batch, answers, strict=True):
            found[question.component] |= {mention.id for mention in answer.vulns}
            if answer.next_page_token:
                questions.append(_Question(question.component, answer.next_page_token))
    raise NoAnswer(f"more than {_PAGES} pages of answers")


def _query(component: Component, page: str) -> dict[str, Any]:
    package = {"name": component.name, "ecosystem": ECOSYSTEMS[component.kind]}
    query: dict[str, Any] = {"package": package, "version": component.version}
    return query | {"page_token": page} if page else query


async def _record(client: httpx2.AsyncClient, url: str, name: str) -> Record:
    data = await _ask(client, "GET", f"{url}/v1/vulns/{quote(name, safe='')}")
    try:
        record = Record.model_validate_json(data)
    except ValidationError as error:
        raise NoAnswer(f"no readable record of {name[:60]}") from error
    if record.id != name:
        raise NoAnswer(f"answered {record.id[:60]} when asked for {name[:60]}")
    return record


async def _ask(client: httpx2.AsyncClient, method: str, url: str, body: Any = None) -> bytes:
    """The body of a good answer. Trouble of the service and on the way is tried again."""
    trouble = ""
    for attempt in range(_TRIES):
        if attempt:
            await asyncio.sleep(0.5 * 2**attempt)
        try:
            answer = await client.request(method, url, json=body)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            trouble = f"cannot be reached: {error or type(error).__name__}"
            continue
        if answer.status_code == 200:
            return answer.content
        trouble = f"{method} {httpx2.URL(url).path} answered {answer.status_code}"
        if answer.status_code < 500 and answer.status_code != 429:
            break
    raise NoAnswer(one_line(trouble))
