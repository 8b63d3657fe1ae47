"""Numbers for Prometheus: requests as they are answered, and how the store and the index stand at each scrape.

Anybody who reaches the server may read them, so they are counts: no texts, no ids.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Standing:
    """How things are behind the interface: ``corrections`` by status, or None while the store is away."""

    corrections: dict[str, int] | None
    index_version: int | None
    index_age_s: float | None
    influence_dropped: int


class Metrics:
    """The numbers of one application, in a registry of its own. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        requests = ("method", "route", "status")
        self._requests = Counter(
            "feedback_api_requests",
            "Requests answered, by route and class of status.",
            requests,
            registry=self.registry,
        )
        self._seconds = Histogram(
            "feedback_api_request_seconds",
            "Time to the end of the answer.",
            requests,
            registry=self.registry,
            buckets=BUCKETS_S,
        )
        self.rate_limited = Counter(
            "feedback_api_rate_limited", "Requests refused for their number.", ("limit",), registry=self.registry
        )
        self._examples = Counter(
            "feedback_examples", "Examples that searches found: given, or withheld.", ("how",), registry=self.registry
        )
        self._searches = Counter(
            "feedback_searches",
            "Searches for examples: answered with some, or none.",
            ("found",),
            registry=self.registry,
        )
        for kind in ("requests", "sign_ins"):
            self.rate_limited.labels(kind)
        for how in ("given", "withheld"):
            self._examples.labels(how)
        for found in ("examples", "none"):
            self._searches.labels(found)

    def note_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; ``route`` is its template."""
        status_class = f"{status // 100}xx"
        self._requests.labels(method, route, status_class).inc()
        self._seconds.labels(method, route, status_class).observe(seconds)

    def note_search(self, *, given: int, withheld: int = 0) -> None:
        """Count one search for examples, and what it found."""
        self._examples.labels("given").inc(given)
        self._examples.labels("withheld").inc(withheld)
        self._searches.labels("examples" if given else "none").inc()

    def collect_from(self, standing: Callable[[], Standing]) -> None:
        """Have ``standing`` asked at each scrape."""
        self.registry.register(_StandingCollector(standing))


class _StandingCollector(Collector):
    def __init__(self, standing: Callable[[], Standing]):
        self._standing = standing

    def describe(self) -> list[Metric]:
        """Name nothing in advance: being registered must not ask the store."""
        return []

    def collect(self) -> Iterator[Metric]:
        now = self._standing()
        yield GaugeMetricFamily("feedback_store_up", "1 while the store answers.", float(now.corrections is not None))
        if now.corrections is not None:
            by_status = GaugeMetricFamily("feedback_corrections", "Feedback by status.", labels=["status"])
            for status, count in now.corrections.items():
                by_status.add_metric([status], count)
            yield by_status
        if now.index_version is not None:
            yield GaugeMetricFamily("feedback_index_version", "Number of the live publication.", now.index_version)
        if now.index_age_s is not None:
            yield GaugeMetricFamily("feedback_index_age_seconds", "Time since it was published.", now.index_age_s)
        yield CounterMetricFamily(
            "feedback_influence_dropped", "Notes on given examples that did not fit.", now.influence_dropped
        )


def remembered(look: Callable[[], Standing], seconds: float) -> Callable[[], Standing]:
    """Return ``look`` so that it is asked at most once in ``seconds``: scraping often costs the store nothing."""
    last: list[tuple[float, Standing]] = []

    def current() -> Standing:
        if not last or time.monotonic() - last[0][0] >= seconds:
            last[:] = [(time.monotonic(), look())]
        return last[0][1]

    return current
