"""What the gateway counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters of one gateway process. Labels have few values, none of them from outside."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.accepted = Counter(
            "regreen_gateway_accepted",
            "Deliveries that Temporal has taken.",
            ("provider",),
            registry=self._registry,
        )
        self.refused = Counter(
            "regreen_gateway_refused",
            "Deliveries that were not taken, by the answer's reason.",
            ("provider", "reason"),
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "regreen_gateway_in_flight",
            "Deliveries that are being handed to Temporal or wait for it.",
            registry=self._registry,
        )
        self.seconds = Histogram(
            "regreen_gateway_seconds",
            "From the request to its answer, in seconds.",
            ("provider",),
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
