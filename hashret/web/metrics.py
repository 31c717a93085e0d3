"""What is counted, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counts of one site; by route, never by address: an address has ids in it."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "hashret_request_seconds",
            "Time from a request to the end of its answer.",
            ["route"],
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._requests = Counter(
            "hashret_requests", "Requests.", ["route", "status"], registry=self._registry
        )
        self.images = Gauge("hashret_images", "Images of the collection.", registry=self._registry)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self._registry)
