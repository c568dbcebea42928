"""Live story: one replayed month after another against a service, and what comes of each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.demo.events import Event, Kind, Score, Swap
from training.demo.live_service import LiveService, Row, codes, holding, wait_until
from training.demo.replay import Month, Plan, World, months_after
from training.processes import ChildFailed

SCHEDULE = "each-year"

JOB_SECONDS = 1200.0
SWAP_SECONDS = 60.0
KEPT_SECONDS = 30.0
LOOK_SECONDS = 0.5
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told.

    Attributes:
        event: Called with every event.
        job: Called with a running job's answer, each time that it is looked at.
    """

    event: Callable[[Event], None]
    job: Callable[[Row], None]


@dataclass(slots=True)
class Story:
    """What has happened so far.

    Attributes:
        plan: What is replayed.
        listener: Who is told.
        events: All of them, in order.
        scores: Of every month and version.
        asked: Months in which each version was asked for forecasts, those asked twice twice.
        alarmed: Reasons to retrain that were told already.
        swap: The last one.
        run_id: MLflow's run of the last job that compared challengers.
    """

    plan: Plan
    listener: Listener
    events: list[Event] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    asked: dict[str, list[Month]] = field(default_factory=dict)
    alarmed: set[str] = field(default_factory=set)
    swap: Swap | None = None
    run_id: str = ""

    def add(self, kind: Kind, month: Month, **figures: Any) -> None:  # noqa: ANN401 (an event's own figures)
        """Keep what happened, and tell it."""
        self.events.append(Event(kind, month, figures))
        self.listener.event(self.events[-1])

    @property
    def version(self) -> str:
        """The version that answers: the one that was asked last."""
        return self.swap.new if self.swap else next(iter(self.asked))

    def due(self, month: Month, series: int) -> dict[str, int]:
        """Return how many forecast steps of a month each version has made."""
        first = months_after(month, 1 - self.plan.horizon)
        return {
            version: series * sum(first <= origin <= month for origin in origins)
            for version, origins in self.asked.items()
        }

    def is_over(self, month: Month) -> bool:
        """Return whether a new version has been watched long enough, once a month has been scored."""
        return self.swap is not None and month >= months_after(self.swap.month, self.plan.settling - 1)


def play(story: Story, api: LiveService, world: World, stations: Sequence[str]) -> None:
    """Replay months until a new version has been watched long enough, or the months end.

    Raises:
        ChildFailed: If the service refuses, or a job fails.
        ServiceUnreachable: If it does not answer.
    """
    for month in story.plan.months:
        if story.plan.ticks(month):
            tick(story, api, month)
        forecast(story, api, month, stations)
        observe(story, api, month, world, stations)
        score(story, api, month, stations)
        if story.is_over(month):
            return


def forecast(story: Story, api: LiveService, month: Month, stations: Sequence[str]) -> None:
    """Have every station forecast by the champion, and by the version before it, so that both are scored."""
    answers = [api.forecast(station) for station in stations]
    versions = {answer["model"]["version"] for answer in answers}
    if len(versions) > 1:
        raise ChildFailed(f"Versions {', '.join(sorted(versions))} answered in one month, {month}.")
    version = versions.pop()
    medians = {
        station: round(answer["forecasts"][0]["median"][0], 2)
        for station, answer in zip(stations, answers, strict=True)
    }
    story.asked.setdefault(version, []).append(month)
    story.add("forecast", month, version=version, series=len(stations), horizon=story.plan.horizon, next_month=medians)
    if story.swap is not None:
        answers = [api.forecast(station, story.swap.old) for station in stations]
        story.asked[story.swap.old].append(month)
    wait_until(lambda: api.is_kept(answers[-1]["forecasts"][0]["forecast_id"]), KEPT_SECONDS, "A forecast is not kept")


def observe(story: Story, api: LiveService, month: Month, world: World, stations: Sequence[str]) -> None:
    """Send what the stations report of a month."""
    rows = list(world.rows(stations, [month]))
    accepted = api.observe(rows)
    values = {row["id"]: row["value"] for row in rows}
    story.add("observed", month, observations=accepted, values=values, season_made=world.is_broken(month))


def score(story: Story, api: LiveService, month: Month, stations: Sequence[str]) -> None:
    """Wait for the month's scores; say what they are, and which reasons to retrain hold that did not before."""
    found = api.scores(month, story.due(month, len(stations)))
    scores = [Score.of(month, row) for row in found.values()]
    story.scores += scores
    now = next(one for one in scores if one.version == story.version)
    others = [one.to_dict() for one in scores if one.version != story.version]
    story.add("scored", month, **now.to_dict(), **({"beside": others} if others else {}))
    if story.swap is not None:
        return
    reasons = holding(api.judgement())
    new = [one for one in reasons if one["code"] not in story.alarmed]
    if new:
        story.alarmed |= set(codes(reasons))
        story.add("drift", month, version=story.version, reasons=new)


def tick(story: Story, api: LiveService, month: Month) -> None:
    """Let the schedule fire and see its job through; one that finds no reason changes nothing."""
    reasons = holding(api.judgement())
    job_id, began = api.tick(SCHEDULE), time.monotonic()
    if reasons:
        story.add("job_started", month, job=job_id, schedule=SCHEDULE, data="service", reasons=codes(reasons))
    job = see_through(api, job_id, story.listener.job)
    told = {"job": job_id, "seconds": round(time.monotonic() - began, 1)}
    decision = job["decision"] or {}
    if job["outcome"] == "NOT_NEEDED":
        story.add("not_needed", month, version=story.version, **told)
        return
    story.run_id = (job["run"] or {}).get("run_id") or ""
    told |= {
        "winner": job["winner"],
        "reason": decision.get("reason", ""),
        "run_id": story.run_id,
        "decision": decision,
    }
    if job["outcome"] != "PROMOTED":
        story.add("kept", month, version=story.version, challenger=job["version"], **told)
        return
    story.add("promoted", month, version=job["version"], previous=story.version, **told)
    swap(story, api, month, job["version"])


def see_through(api: LiveService, job_id: str, look: Callable[[Row], None]) -> Row:
    """Return a job's answer once it has succeeded.

    Raises:
        ChildFailed: If it fails, is cancelled or does not end.
    """
    deadline = time.monotonic() + JOB_SECONDS
    while (job := api.job(job_id))["state"] not in ENDED:
        look(job)
        if time.monotonic() > deadline:
            raise ChildFailed(f"Job {job_id} did not end within {JOB_SECONDS:.0f} s; it says {job['progress']}.")
        time.sleep(LOOK_SECONDS)
    look(job)
    if job["state"] != "SUCCEEDED":
        told = (job["error"] or {}).get("detail", "it was cancelled.")
        raise ChildFailed(f"Job {job_id} has {job['state'].lower()}: {told}", hint="The worker's log says more.")
    return job


def swap(story: Story, api: LiveService, month: Month, version: str) -> None:
    """Wait until the service serves the new champion."""
    seconds = wait_until(
        lambda: api.champion() == version,
        SWAP_SECONDS,
        f"The service goes on with version {story.version} after version {version} was promoted",
    )
    story.swap = Swap(month, story.version, version)
    told = {"from_version": story.swap.old, "to_version": version}
    story.add("swapped", month, **told, seconds=round(seconds, 2))
