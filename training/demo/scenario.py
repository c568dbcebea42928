"""The replay of the live demo: one month after another against a running service."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from training.demo.events import Event, Kind, Score, Swap
from training.demo.replay import Month, ReplayPlan, World, months_after
from training.processes import ChildFailed
from training.service_client.client import Address, Row, ServiceRefused, get_json, post_json

SCHEDULE = "each-year"
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
WAIT_SECONDS, JOB_SECONDS = 120.0, 1200.0
"""Longest waits for the service and for a job."""

POLL_SECONDS, JOB_POLL_SECONDS = 0.05, 0.5


Request = Callable[..., Row]
"""`request(path, body=None, **parameters)` sends a GET request, or a POST request if there is a body, and returns the response."""


def requests_to(url: str) -> Request:
    """Return a function that sends requests to the service at `url`, again while it loads a version.

    The function raises ChildFailed if the service refuses a request, and ServiceUnreachable if it does not respond.
    """
    address = Address(url)

    def request(path: str, body: Mapping[str, Any] | None = None, **parameters: object) -> Row:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                return get_json(address, path, parameters) if body is None else post_json(address, path, body)
            except ServiceRefused as error:
                if error.status != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                    raise ChildFailed(f"The service refused {path}. {error}") from error
            time.sleep(POLL_SECONDS)

    return request


@dataclass(slots=True)
class Replay:
    """A replay so far: its events, the scores of every month and version, and by version the months of its forecasts."""

    plan: ReplayPlan
    model: str
    world: World
    stations: Sequence[str]
    request: Request
    on_event: Callable[[Event], None] = lambda _: None
    on_job: Callable[[Row], None] = lambda _: None
    events: list[Event] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    origins: dict[str, list[Month]] = field(default_factory=dict)
    reported: set[str] = field(default_factory=set)
    swap: Swap | None = None
    run_id: str = ""

    @property
    def version(self) -> str:
        """The version that the service uses."""
        return self.swap.new if self.swap else next(iter(self.origins))

    def add(self, kind: Kind, month: Month, **figures: Any) -> None:  # noqa: ANN401 (an event's own fields)
        """Add an event."""
        self.events.append(Event(kind, month, figures))
        self.on_event(self.events[-1])

    def run(self) -> None:
        """Replay months until the new version has been observed long enough, or the months end.

        Raises:
            ChildFailed: If the service refuses a request, or a job fails.
            ServiceUnreachable: If the service does not respond.
        """
        for month in self.plan.months:
            if self.plan.ticks(month):
                self._tick(month)
            self._forecast(month)
            rows = list(self.world.rows(self.stations, [month]))
            values = {row["id"]: row["value"] for row in rows}
            accepted, is_broken = self.observe(rows), self.world.is_broken(month)
            self.add("observed", month, observations=accepted, values=values, season_made=is_broken)
            self._score(month)
            if self.swap is not None and month >= months_after(self.swap.month, self.plan.settling - 1):
                return

    def observe(self, rows: Sequence[Row]) -> int:
        """Send observations, and return how many the service stores."""
        return int(self.request("/observations", {"observations": rows, "frequency": "M"})["accepted"])

    def due(self, month: Month) -> dict[str, int]:
        """Return how many forecast steps of a month each version has."""
        first, series = months_after(month, 1 - self.plan.horizon), len(self.stations)
        return {
            version: series * sum(first <= one <= month for one in months) for version, months in self.origins.items()
        }

    def _forecast(self, month: Month) -> None:
        """Forecast every station with the champion, and with the version before it, so that both are scored."""
        responses = self._forecasts(self.model)
        version, *others = {response["model"]["version"] for response in responses}
        if others:
            raise ChildFailed(f"The service used more than one version in {month}.")
        medians = [round(response["forecasts"][0]["median"][0], 2) for response in responses]
        next_month, horizon = dict(zip(self.stations, medians, strict=True)), self.plan.horizon
        self.origins.setdefault(version, []).append(month)
        self.add("forecast", month, version=version, series=len(medians), horizon=horizon, next_month=next_month)
        if self.swap is not None:
            responses = self._forecasts(f"{self.model}/{self.swap.old}")
            self.origins[self.swap.old].append(month)
        last = responses[-1]["forecasts"][0]["forecast_id"]
        wait_until(lambda: self.request(f"/forecasts/{last}")["forecast_id"] == last, "A forecast is not stored")

    def _forecasts(self, model: str) -> list[Row]:
        asked = {"horizon": self.plan.horizon, "levels": 80, "model": model}
        return [self.request(f"/series/{quote(station, safe='')}/forecast", **asked) for station in self.stations]

    def _score(self, month: Month) -> None:
        """Wait until all forecast steps of a month are scored; before a swap also report new reasons to retrain."""
        found: dict[str, Row] = {}

        def is_complete() -> bool:
            rows = self.request("/accuracy", model=self.model, by="period,version", since=month)["rows"]
            found.update({row["version"]: row for row in rows if row["period"] == month})
            return all(found.get(version, {}).get("scores", 0) >= due for version, due in self.due(month).items())

        wait_until(is_complete, f"The forecasts of {month} were not scored")
        scores = {version: Score.of(month, row) for version, row in found.items()}
        self.scores += scores.values()
        current, others = scores.pop(self.version), [one.to_dict() for one in scores.values()]
        self.add("scored", month, **current.to_dict(), **({"beside": others} if others else {}))
        if self.swap is not None:
            return
        reasons = self._reasons()
        if new := [one for one in reasons if one["code"] not in self.reported]:
            self.reported |= {one["code"] for one in reasons}
            self.add("drift", month, version=self.version, reasons=new)

    def _reasons(self) -> list[Row]:
        assessment = self.request("/jobs?dry_run=true", {"name": self.model})
        return [reason for reason in assessment["reasons"] if reason["holds"]]

    def _tick(self, month: Month) -> None:
        """Trigger the schedule and wait for its job."""
        reasons = [one["code"] for one in self._reasons()]
        began, job_id = time.monotonic(), str(self.request(f"/schedules/{SCHEDULE}/trigger", {})["id"])
        if reasons:
            self.add("job_started", month, job=job_id, schedule=SCHEDULE, data="service", reasons=reasons)
        job = self._wait_for_job(job_id)
        figures: Row = {"job": job_id, "seconds": round(time.monotonic() - began, 1)}
        if job["outcome"] == "NOT_NEEDED":
            self.add("not_needed", month, version=self.version, **figures)
            return
        decision, self.run_id = job["decision"] or {}, (job["run"] or {}).get("run_id") or ""
        figures |= {"winner": job["winner"], "reason": decision.get("reason", "")}
        figures |= {"run_id": self.run_id, "decision": decision}
        if job["outcome"] != "PROMOTED":
            self.add("kept", month, version=self.version, challenger=job["version"], **figures)
            return
        old, new = self.version, job["version"]
        self.add("promoted", month, version=new, previous=old, **figures)
        served = f"/models/{self.model}"
        seconds = wait_until(
            lambda: str(self.request(served)["model"]["version"]) == new, f"The service does not use version {new}"
        )
        self.swap = Swap(month, old, new)
        self.add("swapped", month, from_version=old, to_version=new, seconds=round(seconds, 2))

    def _wait_for_job(self, job_id: str) -> Row:
        """Return a job that has succeeded; raises ChildFailed if it fails, is cancelled or takes too long."""
        job: Row = {}

        def has_ended() -> bool:
            job.update(self.request(f"/jobs/{quote(job_id, safe='')}"))
            self.on_job(job)
            return job["state"] in ENDED

        wait_until(has_ended, f"Job {job_id} has not ended", JOB_SECONDS, JOB_POLL_SECONDS)
        if job["state"] != "SUCCEEDED":
            detail = (job["error"] or {}).get("detail", "it was cancelled.")
            raise ChildFailed(f"Job {job_id} has {job['state'].lower()}: {detail}", hint="See the worker's log.")
        return job


def wait_until(
    condition: Callable[[], bool], message: str, seconds: float = WAIT_SECONDS, poll_seconds: float = POLL_SECONDS
) -> float:
    """Return the seconds until a condition was true; raises ChildFailed with the message after too many."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise ChildFailed(f"{message} within {seconds:.0f} s.")
        time.sleep(poll_seconds)
    return time.monotonic() - began
