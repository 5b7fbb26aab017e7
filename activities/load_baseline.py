"""The load results of accepted runs, and whether a new one is worse than noise explains.

They are kept in the artifact store below the repository's ref, one object for each commit:
accepting a run twice changes nothing, and runs that end together lose nothing.
"""

import hashlib
import statistics
from collections.abc import Sequence

import obstore
from pydantic import ValidationError
from temporalio import activity

from activities.artifact_store import get_bytes, open_store
from activities.heartbeat import heartbeating
from activities.k6_summary import LoadSummary, milliseconds, parse_summary
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.base import Contract
from regreen.settings import load_settings

_COMPARED = 5
_KEPT = 20
# Below this many milliseconds a difference says more of the machine than of the code.
_LEAST_MILLISECONDS = 5.0


class LoadFigures(Contract):
    """What of a load test is compared."""

    p95_ms: float
    throughput: float
    """Requests a second."""


class AcceptedLoad(Contract):
    """The load test of a run that passed or was released."""

    repository: str
    ref: str
    commit: str
    summary: ArtifactRef
    """`k6-summary.json` of its load stage."""


def figures_of(summary: LoadSummary) -> LoadFigures | None:
    """The figures of a test; None when it did not measure them."""
    slow = summary.value("http_req_duration", "p(95)")
    rate = summary.value("http_reqs", "rate")
    if slow is None or not rate:
        return None
    return LoadFigures(p95_ms=slow, throughput=rate)


def regressions(now: LoadFigures, accepted: Sequence[LoadFigures], noise: float) -> list[str]:
    """What is worse than in the accepted runs beyond the noise band, a line each.

    Compared is with the median of them. The band is `noise`, a share such as 0.3, or how far the
    accepted runs lie apart themselves, whichever is more.
    """
    if not accepted:
        return []
    found = []
    slow = statistics.median(each.p95_ms for each in accepted)
    band = max(noise, _spread([each.p95_ms for each in accepted]))
    if now.p95_ms > slow * (1 + band) and now.p95_ms - slow > _LEAST_MILLISECONDS:
        found.append(
            f"p(95) {milliseconds(now.p95_ms)}, accepted {milliseconds(slow)}: "
            f"{now.p95_ms / slow:.1f} times, more than the noise of {band:.0%}"
        )
    rate = statistics.median(each.throughput for each in accepted)
    band = max(noise, _spread([each.throughput for each in accepted]))
    if now.throughput < rate * (1 - band):
        found.append(
            f"{now.throughput:.1f} requests a second, accepted {rate:.1f}: "
            f"{now.throughput / rate:.0%}, more than the noise of {band:.0%}"
        )
    return found


async def accepted_figures(repository: str, ref: str) -> list[LoadFigures]:
    """Of the newest accepted runs of this ref, at most five; what cannot be read is left out."""
    store = open_store(load_settings().artifacts_url)
    listed = await obstore.list(store, prefix=_prefix(repository, ref)).collect_async()
    newest = sorted(listed, key=lambda each: each["last_modified"], reverse=True)
    found: list[LoadFigures] = []
    for each in newest[:_COMPARED]:
        try:
            content = await (await obstore.get_async(store, each["path"])).bytes_async()
            found.append(LoadFigures.model_validate_json(bytes(content)))
        except (FileNotFoundError, ValidationError):
            continue
    return found


@activity.defn
async def accept_load(accepted: AcceptedLoad) -> None:
    """Remember the figures of an accepted run; of each ref the newest twenty."""
    await heartbeating(_accept(accepted), f"load of {accepted.ref} accepted")


async def _accept(accepted: AcceptedLoad) -> None:
    summary = parse_summary(await get_bytes(accepted.summary))
    figures = figures_of(summary) if summary is not None else None
    if figures is None:
        return
    store = open_store(load_settings().artifacts_url)
    prefix = _prefix(accepted.repository, accepted.ref)
    await obstore.put_async(
        store, f"{prefix}/{accepted.commit}.json", figures.model_dump_json().encode()
    )
    listed = await obstore.list(store, prefix=prefix).collect_async()
    newest = sorted(listed, key=lambda each: each["last_modified"], reverse=True)
    for each in newest[_KEPT:]:
        await obstore.delete_async(store, each["path"])


def _prefix(repository: str, ref: str) -> str:
    digest = hashlib.sha256(f"{repository}\0{ref}".encode()).hexdigest()[:32]
    return f"load/{digest}"


def _spread(values: Sequence[float]) -> float:
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0
