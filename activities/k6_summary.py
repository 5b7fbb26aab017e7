"""What k6's end-of-test summary says, in figures and words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

_AGGREGATE = re.compile(r"\s*(p\([\d.]+\)|[a-z]+)")


class _Threshold(BaseModel):
    ok: bool


class Metric(BaseModel):
    """One metric of k6's `handleSummary` data. Times are in milliseconds."""

    contains: str = "default"
    values: dict[str, float | None]
    thresholds: dict[str, _Threshold] = {}


class LoadSummary(BaseModel):
    """The part of k6's `handleSummary` data that a verdict is made of."""

    metrics: dict[str, Metric]

    def value(self, metric: str, aggregate: str) -> float | None:
        """One value, or None when k6 did not measure it."""
        found = self.metrics.get(metric)
        return None if found is None else found.values.get(aggregate)

    @property
    def requests(self) -> int:
        """HTTP requests that were sent."""
        return int(self.value("http_reqs", "count") or 0)

    @property
    def failed_requests(self) -> int:
        """HTTP requests that failed: for this rate, k6's `passes` counts the failures."""
        return int(self.value("http_req_failed", "passes") or 0)

    @property
    def iterations(self) -> int:
        """Iterations that came to an end."""
        return int(self.value("iterations", "count") or 0)

    def thresholds(self) -> tuple["Threshold", ...]:
        """Every threshold of the script with what was measured."""
        return tuple(self._thresholds())

    def _thresholds(self) -> Iterator["Threshold"]:
        for name, metric in self.metrics.items():
            for rule, verdict in metric.thresholds.items():
                aggregate = _AGGREGATE.match(rule)
                value = metric.values.get(aggregate[1]) if aggregate else None
                yield Threshold(name, rule, verdict.ok, value, metric.contains == "time")

    def figures(self) -> str:
        """The figures of a verdict: `p(95) 41 ms, 0.00 % failed`."""
        parts = []
        slow = self.value("http_req_duration", "p(95)")
        if slow is not None:
            parts.append(f"p(95) {milliseconds(slow)}")
        percent = 100 * self.failed_requests / self.requests if self.requests else 0.0
        parts.append(f"{percent:.2f} % failed")
        checks, failed = (int(self.value("checks", key) or 0) for key in ("passes", "fails"))
        if failed:
            parts.append(f"{failed} of {checks + failed} checks failed")
        return ", ".join(parts)


@dataclass(frozen=True)
class Threshold:
    """One threshold and its verdict."""

    metric: str
    rule: str
    kept: bool
    value: float | None
    is_time: bool

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.metric} {self.rule}"
        shown = milliseconds(self.value) if self.is_time else f"{self.value:.4g}"
        return f"{self.metric} {self.rule} (was {shown})"


def parse_summary(data: bytes | None) -> LoadSummary | None:
    """Read the summary file; None when there is none or it cannot be read."""
    if data is None:
        return None
    try:
        return LoadSummary.model_validate_json(data)
    except ValidationError:
        return None


def milliseconds(value: float) -> str:
    """A time for a person: `1.4 ms`, `41 ms`."""
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"
