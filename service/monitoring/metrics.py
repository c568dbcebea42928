"""Metrics: what Prometheus reads of this process; every label has few values, none comes from a request's body."""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from models.names import CHAMPION
from service.monitoring.drift import RecentInputs
from service.serving.catalog import Catalog
from service.store.async_database import AsyncDatabase

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
"""The route of every path that nobody serves, so that a scanner cannot fill the server's memory with labels."""

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: from a small forecast in memory, about a millisecond, to a batch of thousands."""


class Metrics:
    """The counters of one application, in a registry of its own."""

    def __init__(self) -> None:
        """Every counter stands at zero."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series beside each counter, which nobody asks for
        self.registry = CollectorRegistry()
        registry = self.registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter(
            "almanac_requests", "Answered requests.", ["route", "method", "status"], registry=registry
        )
        self.latency = Histogram(
            "almanac_request_seconds",
            "Time from a request's first byte to the end of its answer.",
            ["route"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge("almanac_requests_in_flight", "Requests being answered.", registry=registry)
        self.series = Counter("almanac_series", "Series forecast.", ["model"], registry=registry)
        self.points = Counter("almanac_points", "Forecast steps given out.", ["model"], registry=registry)
        self.errors = Counter(
            "almanac_errors", "Errors given out, whole requests and single series.", ["code"], registry=registry
        )
        self.reloads = Counter(
            "almanac_model_reloads", "Attempts to load a version.", ["model", "outcome"], registry=registry
        )

        self.observations = Counter(
            "almanac_observations", "Observations posted, by whether they are kept.", ["outcome"], registry=registry
        )
        self.ledger_written = Counter("almanac_ledger_written", "Forecasts written to the ledger.", registry=registry)
        self.ledger_lost = Counter(
            "almanac_ledger_lost", "Forecasts that were given out and not written.", ["reason"], registry=registry
        )
        for reason in ("full", "refused", "closed"):
            self.ledger_lost.labels(reason)
        self.ledger_waiting = Gauge("almanac_ledger_waiting", "Forecasts that wait to be written.", registry=registry)

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests.labels(route, method if method in METHODS else "OTHER", str(status)).inc()
        self.latency.labels(route).observe(seconds)

    def count_forecast(self, model: str, series: int, points: int) -> None:
        """Count what one request was given."""
        self.series.labels(model).inc(series)
        self.points.labels(model).inc(points)

    def count_errors(self, codes: Iterable[str]) -> None:
        """Count each code once for each time it stands in `codes`."""
        for code in codes:
            self.errors.labels(code).inc()

    def count_observations(self, accepted: int, refused: int) -> None:
        """Count what one request brought."""
        self.observations.labels("accepted").inc(accepted)
        self.observations.labels("refused").inc(refused)

    def count_load(self, model: str, outcome: str) -> None:
        """Count one attempt to load a version."""
        self.reloads.labels(model, outcome).inc()


class DatabaseMetrics(Collector):
    """Whether the database answers, read when Prometheus asks."""

    def __init__(self, records: AsyncDatabase) -> None:
        """Read from `records`."""
        self._records = records

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return one gauge."""
        up = GaugeMetricFamily("almanac_database_up", "Whether the database answered when last asked.")
        up.add_metric([], float(self._records.error is None))
        return [up]


class ModelMetrics(Collector):
    """What is true of the champions now: read when Prometheus asks, so that a version that is gone leaves no series."""

    def __init__(self, catalog: Catalog, inputs: RecentInputs) -> None:
        """Read from these two, whenever asked."""
        self._catalog = catalog
        self._inputs = inputs

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the families without samples, so that registering reads nothing."""
        return [*self._families().values()]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return info and age of each champion, its inputs' drift, and how the registry is doing."""
        families = self._families()
        now = time.time()
        champions = list(self._catalog.champions.values())
        for served in champions:
            spec = served.forecaster.spec
            labels = [served.name, served.version, CHAMPION, served.run_id or "", spec.architecture, spec.frequency]
            families["info"].add_metric(labels, 1)
            if created := _seconds(spec.created):
                families["age"].add_metric([served.name, served.version], now - created)
            families["loaded"].add_metric([served.name, served.version], served.loaded_at.timestamp())
        for served, shifts in self._inputs.drifts(champions):
            for feature, shift in shifts.items():
                families["drift"].add_metric([served.name, feature], shift.index)
                families["distance"].add_metric([served.name, feature], shift.distance)
        index = self._catalog.index
        families["gone"].add_metric([], len(index.gone))
        families["registry"].add_metric([], float(index.state in {"ok", "emptied"} and bool(index.checked)))
        if checked := _seconds(index.checked):
            families["checked"].add_metric([], now - checked)
        return families.values()

    @staticmethod
    def _families() -> Mapping[str, GaugeMetricFamily]:
        version = ["model", "version"]
        return {
            "info": GaugeMetricFamily(
                "almanac_model_info",
                "The version that answers as champion.",
                labels=[*version, "alias", "run_id", "architecture", "frequency"],
            ),
            "age": GaugeMetricFamily(
                "almanac_model_age_seconds", "Time since the champion was trained.", labels=version
            ),
            "loaded": GaugeMetricFamily(
                "almanac_model_loaded_timestamp_seconds", "When the champion was loaded.", labels=version
            ),
            "drift": GaugeMetricFamily(
                "almanac_input_drift_score",
                "Population stability index of the newest inputs against the training's, by feature.",
                labels=["model", "feature"],
            ),
            "distance": GaugeMetricFamily(
                "almanac_input_drift_distance",
                "Kolmogorov-Smirnov distance of the newest inputs from the training's, by feature.",
                labels=["model", "feature"],
            ),
            "gone": GaugeMetricFamily(
                "almanac_registry_champions_gone",
                "Models that answer although the registry has no champion of them any more.",
                labels=[],
            ),
            "registry": GaugeMetricFamily(
                "almanac_registry_up", "Whether the registry answered the last poll.", labels=[]
            ),
            "checked": GaugeMetricFamily(
                "almanac_registry_checked_seconds", "Time since the registry was last asked.", labels=[]
            ),
        }


def _seconds(text: str) -> float | None:
    """Return an ISO 8601 time as seconds since 1970, or None where there is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
