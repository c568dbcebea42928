"""Assembly: creates the parts of the service, and connects them; also those of one of several server processes."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Self

from service.api.state import Service
from service.forecasting.answer import ForecastHandler, make_lanes
from service.forecasting.canary import Canary
from service.jobs.client import JobsClient
from service.jobs.counts import JobCounter, JobCounts
from service.monitoring.accuracy_metrics import AccuracyMetrics
from service.monitoring.backtest_figures import BacktestCache
from service.monitoring.canary_errors import find_error_fault
from service.monitoring.default_model import keep_default
from service.monitoring.drift import RecentInputs
from service.monitoring.facts import Facts, SharedFacts
from service.monitoring.forecast_log import ForecastLog
from service.monitoring.forecast_recorder import ForecastRecorder
from service.monitoring.input_check import check_inputs
from service.monitoring.job_metrics import JobMetrics
from service.monitoring.metrics import DatabaseMetrics, Metrics, ModelMetrics
from service.monitoring.retention import Retention
from service.monitoring.scorer import LiveScores, Scorer
from service.monitoring.shared_metrics import ProcessSums
from service.processes.answers import Ask
from service.processes.board import Board
from service.processes.link import ProcessLink
from service.serving.artifact_cache import ArtifactCache
from service.serving.catalog import Catalog
from service.serving.index_follower import silence_of
from service.serving.model_loader import Fetch, ModelLimits
from service.serving.segments import SegmentRouter
from service.serving.supervisor import Supervisor
from service.settings import Settings
from service.store.async_database import AsyncDatabase

FIRST_READY_SECONDS = 3.0
"""How long one of several new processes waits until it is ready before it accepts requests."""
READY_SECONDS = 10.0
"""The same for a process that replaces another; the others answer meanwhile."""
READY_POLL_SECONDS = 0.02

Background = Callable[[], Coroutine[Any, Any, None]]
"""A task that runs as long as the application."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a server process has of its own, or shares with others.

    Attributes:
        cache: The artifact cache, with the index that a registry process writes.
        fetch: Asks that process for a version.
        ask: Asks it to move a champion.
        leads: Returns whether this process does what only one may do.
        wake_leader: Wakes the process that does.
        folder: Folder of what several processes share, or None.
        board: Where they publish facts, or None.
        background: Tasks that keep the registry process running.
        polls: Whether a registry process runs, here or in the parent.
    """

    cache: ArtifactCache
    fetch: Fetch
    ask: Ask
    leads: Callable[[], bool] = lambda: True
    wake_leader: Callable[[], None] = lambda: None
    folder: Path | None = None
    board: Board[Facts] | None = None
    background: tuple[Background, ...] = ()
    polls: bool = True

    @classmethod
    def alone(cls, settings: Settings, *, supervise: bool) -> Self:
        """Return that of the only process."""
        cache = ArtifactCache.own(settings.cache) if supervise else ArtifactCache(settings.cache)
        supervisor = Supervisor(settings, cache)
        background = (supervisor.run,) if supervise else ()
        return cls(cache, supervisor.fetch, supervisor.ask, background=background, polls=supervise)

    @classmethod
    def shared(cls, settings: Settings, link: ProcessLink) -> Self:
        """Return that of one of several processes."""
        return cls(
            ArtifactCache(settings.cache, link.options.index),
            link.fetch,
            link.ask,
            lambda: link.leads,
            link.wake_leader,
            link.folder,
            Board(link.folder, link.options.place),
        )


def assemble(settings: Settings, environment: Environment) -> tuple[Service, list[Background]]:
    """Return the service's parts, and the tasks that run in the background."""
    facts = SharedFacts(environment.board)
    metrics, recent_inputs = Metrics(environment.folder), RecentInputs(facts.inputs)
    catalog = _make_catalog(settings, environment, metrics)
    database = AsyncDatabase(settings.database, settings.max_queue)
    scorer = Scorer(
        database,
        settings.accuracy_days,
        on_scored=metrics.scored.inc,
        leads=environment.leads,
        wake_leader=environment.wake_leader,
    )
    forecast_log = _make_log(settings, database, metrics, environment.leads)
    recorder = ForecastRecorder(metrics, recent_inputs, forecast_log)
    canary = _make_canary(settings, catalog, recorder, metrics, database)
    forecasting = ForecastHandler(
        settings,
        *make_lanes(settings),
        catalog.select,
        recorder.record,
        metrics.queue_seconds.observe,
        canary,
        SegmentRouter(lambda: catalog.index, settings.model).family,
    )
    backtests = BacktestCache(catalog, environment.cache)
    jobs = JobsClient(settings.jobs, settings.max_queue)
    counter = JobCounter(jobs)
    service = Service(
        settings,
        catalog,
        forecasting,
        metrics,
        recent_inputs,
        database,
        forecast_log,
        scorer,
        backtests,
        jobs,
        environment.ask,
    )
    _register_collectors(service, counter, facts, environment)
    remember = partial(keep_default, catalog, database, environment.leads)
    background: list[Background] = [
        catalog.watch,
        database.watch,
        scorer.run,
        counter.watch,
        facts.publish,
        remember,
        partial(check_inputs, recent_inputs, database, catalog.champions.values),
        *environment.background,
    ]
    background += [forecast_log.run] if forecast_log else []
    return service, background + ([canary.watch] if canary else [])


def _make_catalog(settings: Settings, environment: Environment, metrics: Metrics) -> Catalog:
    silence = silence_of(settings.poll_seconds) if environment.polls else inf
    return Catalog(
        environment.cache,
        default=settings.model,
        limits=ModelLimits(settings.max_models, settings.max_model_mb, settings.max_slowdown, silence),
        fetch=environment.fetch,
        on_load=metrics.count_load,
    )


def _make_log(
    settings: Settings, database: AsyncDatabase, metrics: Metrics, leads: Callable[[], bool]
) -> ForecastLog | None:
    """Return the forecast log, None if it is off."""
    if not settings.ledger:
        return None
    return ForecastLog(
        database,
        metrics,
        limit=settings.max_ledger,
        retention=Retention(settings.retention_days, delete_all=settings.retention_all, leads=leads),
    )


def _make_canary(
    settings: Settings, catalog: Catalog, recorder: ForecastRecorder, metrics: Metrics, database: AsyncDatabase
) -> Canary | None:
    """Return what challengers do with requests, None if they have no share of them."""
    if not (settings.canary_share or settings.shadow_share):
        return None
    return Canary(
        catalog,
        canary=settings.canary_share,
        shadow=settings.shadow_share,
        most_numbers=settings.max_numbers,
        record=recorder.record_shadow,
        count=lambda kind, outcome: metrics.challenger_requests.labels(kind, outcome).inc(),
        find_error_fault=partial(find_error_fault, database),
    )


def _register_collectors(service: Service, counter: JobCounter, facts: SharedFacts, environment: Environment) -> None:
    """Register the metrics that are read at each collection; those of several processes are read from their facts."""

    def own_facts() -> Facts:
        champions = list(service.catalog.champions.values())
        return Facts(
            pid=os.getpid(),
            leads=environment.leads(),
            is_database_up=service.database.error is None,
            loaded={(one.name, one.version): one.loaded_at.timestamp() for one in champions},
            inputs=service.recent_inputs.publish(champions),
            live=service.scorer.live,
            jobs=counter.newest,
            is_memory_short=service.metrics.resources.is_memory_short(),
        )

    def live() -> LiveScores | None:
        leader = None if environment.leads() else facts.leader()
        return leader.live if leader else service.scorer.live

    def jobs() -> JobCounts | None:
        leader = None if environment.leads() else facts.leader()
        return leader.jobs if leader else counter.newest

    facts.read_own = own_facts
    resources = service.metrics.resources
    resources.pids, resources.other_memory = facts.pids, lambda: [one.is_memory_short for one in facts.others()]
    registry = service.metrics.registry
    registry.register(ModelMetrics(service.catalog, service.recent_inputs, facts.others))
    registry.register(DatabaseMetrics(service.database, facts.others))
    registry.register(AccuracyMetrics(live, service.backtests))
    registry.register(JobMetrics(jobs))
    if environment.folder is not None:
        registry.register(ProcessSums(facts.pids))


async def start_worker(service: Service, link: ProcessLink) -> None:
    """Wait until one of several processes is ready, or for a time, and tell the parent that it accepts requests."""
    seconds = READY_SECONDS if link.options.is_replacement else FIRST_READY_SECONDS
    deadline = time.monotonic() + seconds
    while service.catalog.readiness_error() is not None and time.monotonic() < deadline:  # noqa: ASYNC110 (as for a probe)
        await asyncio.sleep(READY_POLL_SECONDS)
    link.accept()


async def close(service: Service) -> None:
    """Write the waiting forecasts, and close threads and databases."""
    if service.forecast_log is not None:
        await service.forecast_log.close()
    service.forecasting.close()
    service.metrics.threads.close()
    service.database.close()
    service.jobs.close()
