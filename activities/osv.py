"""The second opinion on dependencies: a service with OSV's API (google.github.io/osv.dev/api).

Only names and versions of components are sent, to the address that the operator has named. Nothing
is resolved, installed or run, so nothing of a repository's code is near the network. The answers
are counted: a service that leaves a component out has not been asked about it.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError
from temporalio import activity

from activities.artifact_store import get_bytes, put_bytes
from activities.bounded_response import BoundedResponses
from activities.components import ECOSYSTEMS, Component, components_of
from activities.finding import Fingerprints, kept, one_line, worst, worst_first
from activities.heartbeat import heartbeating
from activities.osv_record import Record, fixed_in, in_order, severity_of
from regreen.contracts.dependencies import DependencyRequest
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan, Severity
from regreen.pipeline_file import SecuritySection
from regreen.settings import load_settings

TOOL = "osv"

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


class _NoAnswer(Exception):
    """The service did not say what was asked for; the message is one line."""


@dataclass(frozen=True)
class _Question:
    component: int
    page: str = ""


@activity.defn
async def audit_dependencies(request: DependencyRequest) -> Scan:
    """Ask the operator's OSV service about each component of the bill.

    Without a service there is no second opinion, and the scan says that. A record whose severity
    cannot be read is of severity `unknown`.
    """
    section = request.stage.pipeline.security or SecuritySection()
    url = load_settings().osv_url
    if url is None:
        return _scan(nothing_to_do="osv: no service to ask, REGREEN_OSV_URL is unset")
    components = components_of(json.loads(await get_bytes(request.bill)))
    asked = [each for each in components if each.kind in ECOSYSTEMS]
    try:
        async with asyncio.timeout(section.timeout):
            scan, records = await heartbeating(
                _audited(url.rstrip("/"), asked, section.vulnerabilities),
                f"osv: {len(asked)} components",
            )
    except TimeoutError:
        return _scan(problem=f"no answer within {section.timeout:g} s")
    except _NoAnswer as error:
        return _scan(problem=str(error))
    report = json.dumps([each.model_dump() for each in records], indent=1).encode()
    return scan.model_copy(
        update={"artifacts": (await put_bytes("osv.json", report, "application/json"),)}
    )


async def _audited(
    url: str, components: Sequence[Component], limit: Severity
) -> tuple[Scan, list[Record]]:
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
            raise _NoAnswer(f"names {len(names):,} records, more than {_MOST_RECORDS:,}")
        free = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def fetched(name: str) -> Record:
            async with free:
                return await _record(client, url, name)

        known = dict(zip(names, await asyncio.gather(*map(fetched, names)), strict=True))
    findings = []
    fingerprints = Fingerprints(TOOL)
    for component, found in zip(components, mentioned, strict=True):
        records = [known[name] for name in sorted(found) if not known[name].withdrawn]
        for group in _same(records):
            findings.append(_finding(component, group, fingerprints))
    findings = worst_first(findings, limit)
    scan = _scan(
        examined=len(components),
        findings=tuple(findings[:FINDINGS_IN_SCAN]),
        found=len(findings),
        all_findings=await kept(TOOL, findings),
        figures="advisories of an OSV service",
    )
    return scan, list(known.values())


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
            raise _NoAnswer("no readable answer from /v1/querybatch") from error
        if len(answers) != len(batch):
            raise _NoAnswer(f"{len(answers)} answers to {len(batch)} questions")
        for question, answer in zip(batch, answers, strict=True):
            found[question.component] |= {mention.id for mention in answer.vulns}
            if answer.next_page_token:
                questions.append(_Question(question.component, answer.next_page_token))
    raise _NoAnswer(f"more than {_PAGES} pages of answers")


def _query(component: Component, page: str) -> dict[str, Any]:
    package = {"name": component.name, "ecosystem": ECOSYSTEMS[component.kind]}
    query: dict[str, Any] = {"package": package, "version": component.version}
    return query | {"page_token": page} if page else query


async def _record(client: httpx2.AsyncClient, url: str, name: str) -> Record:
    data = await _ask(client, "GET", f"{url}/v1/vulns/{quote(name, safe='')}")
    try:
        record = Record.model_validate_json(data)
    except ValidationError as error:
        raise _NoAnswer(f"no readable record of {name[:60]}") from error
    if record.id != name:
        raise _NoAnswer(f"answered {record.id[:60]} when asked for {name[:60]}")
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
    raise _NoAnswer(one_line(trouble))


def _same(records: Sequence[Record]) -> list[list[Record]]:
    """Records of the same vulnerability together: they share a name."""
    groups: list[tuple[set[str], list[Record]]] = []
    for record in records:
        names, members = {record.id, *record.aliases}, [record]
        apart = []
        for group in groups:
            if group[0] & names:
                names |= group[0]
                members = [*group[1], *members]
            else:
                apart.append(group)
        groups = [*apart, (names, members)]
    return [members for _, members in groups]


def _finding(
    component: Component, records: Sequence[Record], fingerprints: Fingerprints
) -> Finding:
    rule, *aliases = in_order(name for record in records for name in record.names)
    fixed = ", ".join(fixed_in(records, component))
    way_out = f"; fixed in {fixed}" if fixed else "; no fixed version yet"
    title = next((record.summary for record in records if record.summary), "no summary")
    return Finding(
        tool=TOOL,
        rule=rule,
        severity=worst(map(severity_of, records)),
        subject=component.purl,
        message=one_line(f"{component.name} {component.version}: {title}{way_out}"),
        fingerprint=fingerprints.of(rule, subject=component.purl),
        aliases=tuple(aliases),
    )


def _scan(**found: Any) -> Scan:
    return Scan(gate="dependencies", tool=TOOL, unit="component", **found)
