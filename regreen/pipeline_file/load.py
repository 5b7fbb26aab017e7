"""The section of the load stage."""

from typing import Literal

from pydantic import Field

from regreen.pipeline_file.section import Section
from regreen.pipeline_file.values import Duration


class ServiceSection(Section):
    """A server that is started beside the load test, in the same sandbox."""

    command: tuple[str, ...] = Field(min_length=1)
    ready: str
    """A loopback URL that answers with a status below 500 once the service is ready."""
    timeout: Duration = 30.0


class LoadStage(Section):
    """A part of the load test in which the number of virtual users moves to `target`."""

    duration: Duration
    target: int = Field(ge=0)


class LoadThresholds(Section):
    """What a load test has to keep, beside the thresholds of its script."""

    p95: Duration | None = None
    """Of the responses, 95 of 100 have to come within this."""
    error_rate: float | None = Field(default=None, ge=0, le=1)
    """The share of requests that may fail."""
    checks: float | None = Field(default=None, ge=0, le=1)
    """The share of the script's checks that has to hold."""
    throughput: float | None = Field(default=None, gt=0)
    """Requests a second that have to be served."""


class LoadSection(Section):
    """The load test: a k6 script, and the service it loads."""

    script: str
    stages: tuple[LoadStage, ...] = ()
    """In place of what the script's options say of virtual users, iterations and scenarios."""
    thresholds: LoadThresholds = Field(default_factory=LoadThresholds)
    regression: Literal["report", "fail"] = "report"
    """What it does to the stage to be worse than the accepted runs of the ref."""
    noise: float = Field(default=0.3, ge=0)
    """How much worse, as a share, is still noise."""
    service: ServiceSection | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables given to the script (`__ENV`)."""
    timeout: Duration = 600.0
