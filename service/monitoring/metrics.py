"""Metrics: counters and gauges for Prometheus; every label has few values, none comes from the body of a request."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from models.names import CHAMPION
from service.monitoring.drift import RecentInputs
from service.monitoring.facts import Facts
from service.monitoring.resources import Resources
from service.monitoring.shared_metrics import collect_shared
from service.problems import CLIENT_CLOSED
from service.serving.catalog import Catalog
from service.store.async_database import AsyncDatabase
from service.thread_pool import ThreadPool

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
"""Route of all unknown paths, so that a scanner cannot fill the memory with labels."""

GONE = "client gone"
SHED = {
    "QUEUE_FULL": "queue full",
    "RATE_EXCEEDED": "rate",
    "DEADLINE_PASSED": "deadline",
    "BODY_TOO_SLOW": "slow sender",
    "HEADERS_TOO_SLOW": "slow sender",
    "MEMORY_SHORT": "memory",
}
"""Why a request was not answered, by the code of its error."""

MOST_READERS = 64
"""Requests of /metrics that may wait for its thread."""

LATENCY_BUCKETS = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
)
"""Seconds: a small forecast takes about a millisecond, a batch of thousands some seconds, a large export minutes."""


class Metrics:
    """The counters of one application, in a registry of its own."""

    def __init__(self, folder: Path | None = None) -> None:
        """Register every counter at zero; `folder` has those of several processes, after `share_values`."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # it would double the number of series
        self.registry = CollectorRegistry()
        PlatformCollector(registry=self.registry)
        self.resources = Resources()
        self.registry.register(self.resources)
        registry = self.registry if folder is None else CollectorRegistry()
        if folder is None:
            ProcessCollector(registry=registry)
        else:
            collect_shared(self.registry, folder)
        self._register_requests(registry)
        self._register_forecasts(registry)
        self._register_database(registry)

    def _register_requests(self, registry: CollectorRegistry) -> None:
        """Register what is counted of requests."""
        self.requests = Counter(
            "almanac_requests", "Answered requests.", ["route", "method", "status"], registry=registry
        )
        self.latency = Histogram(
            "almanac_request_seconds",
            "Time from the first byte of a request to the end of its response.",
            ["route"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.threads = ThreadPool(MOST_READERS, threads=1, name="metrics")
        self.in_flight = Gauge(
            "almanac_requests_in_flight", "Requests being answered.", registry=registry, multiprocess_mode="livesum"
        )
        self.errors = Counter(
            "almanac_errors", "Errors returned, of whole requests and of single series.", ["code"], registry=registry
        )
        self.shed = Counter(
            "almanac_requests_shed",
            "Requests that were refused or given up because the service was busy.",
            ["reason"],
            registry=registry,
        )
        for reason in (*SHED.values(), GONE):
            self.shed.labels(reason)
        self._request_children = lru_cache(maxsize=1024)(
            lambda route, method, status: (
                self.requests.labels(route, method, str(status)).inc,
                self.latency.labels(route).observe,
            )
        )

    def _register_forecasts(self, registry: CollectorRegistry) -> None:
        """Register what is counted of forecasts and models."""
        self.series = Counter("almanac_series", "Series forecast.", ["model"], registry=registry)
        self.points = Counter("almanac_points", "Forecast steps returned.", ["model"], registry=registry)
        self.queue_seconds = Histogram(
            "almanac_queue_seconds",
            "Time from the arrival of a forecast request's body to the run of the network that answers it.",
            buckets=LATENCY_BUCKETS[:14],
            registry=registry,
        )
        self.challenger_requests = Counter(
            "almanac_challenger_requests",
            "Requests that a challenger answered (canary) or forecast to be scored only (shadow).",
            ["kind", "outcome"],
            registry=registry,
        )
        self.reloads = Counter(
            "almanac_model_reloads", "Attempts to load a version.", ["model", "outcome"], registry=registry
        )
        self._forecast_children = lru_cache(maxsize=1024)(
            lambda model: (self.series.labels(model).inc, self.points.labels(model).inc)
        )

    def _register_database(self, registry: CollectorRegistry) -> None:
        """Register what is counted of observations, and of forecasts in the database."""
        self.observations = Counter(
            "almanac_observations", "Observations posted, accepted or refused.", ["outcome"], registry=registry
        )
        self.forecasts_written = Counter(
            "almanac_ledger_written", "Forecasts written to the database.", registry=registry
        )
        self.forecasts_lost = Counter(
            "almanac_ledger_lost", "Forecasts that were served and not written.", ["reason"], registry=registry
        )
        for reason in ("full", "refused", "closed", "erased"):
            self.forecasts_lost.labels(reason)
        self.forecasts_waiting = Gauge(
            "almanac_ledger_waiting",
            "Forecasts that wait to be written.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.scored = Counter("almanac_forecasts_scored", "Forecasts scored by this replica.", registry=registry)

    def count_request(
        self, route: str, method: str, status: int, seconds: float, exemplar: dict[str, str] | None = None
    ) -> None:
        """Count one answered request; `exemplar` names its trace."""
        count, observe = self._request_children(route, method if method in METHODS else "OTHER", status)
        count()
        observe(seconds, exemplar)
        if status == CLIENT_CLOSED:
            self.shed.labels(GONE).inc()

    def count_forecast(self, model: str, series: int, points: int) -> None:
        """Count the series and steps that one request received."""
        count_series, count_points = self._forecast_children(model)
        count_series(series)
        count_points(points)

    def count_errors(self, codes: Iterable[str]) -> None:
        """Count each code as often as it occurs."""
        for code in codes:
            self.errors.labels(code).inc()
            if code in SHED:
                self.shed.labels(SHED[code]).inc()

    def count_observations(self, accepted: int, refused: int) -> None:
        """Count the observations of one request."""
        self.observations.labels("accepted").inc(accepted)
        self.observations.labels("refused").inc(refused)

    def count_load(self, model: str, outcome: str) -> None:
        """Count one attempt to load a version."""
        self.reloads.labels(model, outcome).inc()


class DatabaseMetrics(Collector):
    """Whether the database answers, read at each collection."""

    def __init__(self, database: AsyncDatabase, others: Callable[[], Sequence[Facts]] = tuple) -> None:
        """Read from `database`; `others` returns the facts of the other server processes."""
        self._database = database
        self._others = others

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return one gauge."""
        up = GaugeMetricFamily("almanac_database_up", "Whether the database answered the last check.")
        up.add_metric([], float(self._database.error is None and all(one.is_database_up for one in self._others())))
        return [up]


class ModelMetrics(Collector):
    """The champions of now, read at each collection, so that a replaced version leaves no series."""

    def __init__(self, catalog: Catalog, inputs: RecentInputs, others: Callable[[], Sequence[Facts]] = tuple) -> None:
        """Read from these at each collection; `others` returns the facts of the other server processes."""
        self._catalog = catalog
        self._inputs = inputs
        self._others = others

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the families without samples, so that registering reads nothing."""
        return [*self._families().values()]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return info and age of each champion, the drift of its inputs, and the state of the registry."""
        families = self._families()
        now, others = time.time(), self._others()
        champions = list(self._catalog.champions.values())
        for model in champions:
            spec = model.forecaster.spec
            labels = [model.name, model.version, CHAMPION, model.run_id or "", spec.architecture, spec.frequency]
            families["info"].add_metric(labels, 1)
            if created := _seconds(spec.created):
                families["age"].add_metric([model.name, model.version], now - created)
            loaded = [one.loaded.get((model.name, model.version), 0.0) for one in others]
            families["loaded"].add_metric([model.name, model.version], max([model.loaded_at.timestamp(), *loaded]))
        for model, drifts in self._inputs.drifts(champions):
            for feature, drift in drifts.items():
                families["drift"].add_metric([model.name, feature], drift.index)
                families["distance"].add_metric([model.name, feature], drift.distance)
                if drift.confirmed_index is not None:
                    families["confirmed"].add_metric([model.name, feature], drift.confirmed_index)
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
                "The version that is served as champion.",
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
                "Population stability index of the newest inputs against the training inputs, by feature.",
                labels=["model", "feature"],
            ),
            "distance": GaugeMetricFamily(
                "almanac_input_drift_distance",
                "Kolmogorov-Smirnov distance of the newest inputs from the training inputs, by feature.",
                labels=["model", "feature"],
            ),
            "confirmed": GaugeMetricFamily(
                "almanac_input_drift_confirmed_score",
                "As almanac_input_drift_score, of the inputs that stored observations confirm; a reason to retrain.",
                labels=["model", "feature"],
            ),
            "gone": GaugeMetricFamily(
                "almanac_registry_champions_gone",
                "Models that are served although the registry has no champion of them any more.",
                labels=[],
            ),
            "registry": GaugeMetricFamily(
                "almanac_registry_up", "Whether the registry answered the last poll.", labels=[]
            ),
            "checked": GaugeMetricFamily(
                "almanac_registry_checked_seconds", "Time since the last poll of the registry.", labels=[]
            ),
        }


def _seconds(text: str) -> float | None:
    """Return an ISO 8601 time as seconds since 1970, or None if the text is not a time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
