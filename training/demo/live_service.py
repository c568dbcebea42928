"""Live service: what the replay asks of a running service over HTTP, and nothing that a client could not ask."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from training.processes import ChildFailed
from training.service_client.client import Address, ServiceRefused, get_json, post_json

POLL_SECONDS = 0.05
SCORED_SECONDS = 120.0
LOADING_SECONDS, LOADING_POLL_SECONDS = 60.0, 0.25
"""How long a version that is being loaded is waited for."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LiveService:
    """A service on loopback.

    Attributes:
        address: Such as `http://127.0.0.1:8000`.
        model: The name whose champion is asked.
        horizon: Steps ahead.
    """

    address: str
    model: str
    horizon: int

    def observe(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Tell it what was observed, by POST /observations; return how many values it keeps."""
        return int(self._ask("/observations", {"observations": list(rows), "frequency": "M"})["accepted"])

    def forecast(self, series: str, version: str | None = None) -> Row:
        """Return its forecast of a series from what it knows, by GET /series/{id}/forecast."""
        model = f"{self.model}/{version}" if version else self.model
        path = f"/series/{quote(series, safe='')}/forecast"
        return self._ask(path, horizon=self.horizon, levels=80, model=model)

    def is_kept(self, forecast_id: str) -> bool:
        """Return whether a forecast is in the ledger, by GET /forecasts/{id}, which writes down those that wait."""
        return bool(self._ask(f"/forecasts/{forecast_id}")["forecast_id"] == forecast_id)

    def scores(self, month: str, counted: Mapping[str, int]) -> dict[str, Row]:
        """Return the scores of one month by version, by GET /accuracy, once as many as are counted are there.

        Args:
            month: Of the truths.
            counted: How many scores each version must have.

        Raises:
            ChildFailed: If they do not come in good time.
        """
        found: dict[str, Row] = {}

        def all_there() -> bool:
            rows = self._ask("/accuracy", model=self.model, by="period,version", since=month)["rows"]
            found.update({row["version"]: row for row in rows if row["period"] == month})
            return all(found.get(version, {}).get("scores", 0) >= count for version, count in counted.items())

        wait_until(all_there, SCORED_SECONDS, f"The forecasts of {month} were not scored; there are {found}")
        return found

    def champion(self) -> str:
        """Return the version that answers now, by GET /models/{name}."""
        return str(self._ask(f"/models/{self.model}")["model"]["version"])

    def judgement(self) -> Row:
        """Return whether it would retrain the model and why, by POST /jobs?dry_run=true."""
        return self._ask("/jobs?dry_run=true", {"name": self.model})

    def schedule(self, name: str, cron: str, config: Mapping[str, Any]) -> Row:
        """Make a schedule that retrains where there is a reason, paused, by POST /schedules."""
        made = {"name": name, "cron": cron, "config": dict(config), "if_needed": True}
        self._ask("/schedules", made)
        return self._ask(f"/schedules/{name}/pause", {})

    def tick(self, name: str) -> str:
        """Have a schedule fire, by POST /schedules/{name}/trigger; return the job's id."""
        return str(self._ask(f"/schedules/{name}/trigger", {})["id"])

    def job(self, job_id: str) -> Row:
        """Return what a job says of itself, by GET /jobs/{id}."""
        return self._ask(f"/jobs/{quote(job_id, safe='')}")

    def _ask(self, path: str, body: Mapping[str, Any] | None = None, **parameters: object) -> Row:
        """Return the answer to a GET, or to a POST where there is a body; raises ChildFailed or ServiceUnreachable.

        A version that is being loaded is asked again.
        """
        address, deadline = Address(self.address), time.monotonic() + LOADING_SECONDS
        while True:
            try:
                return get_json(address, path, parameters) if body is None else post_json(address, path, body)
            except ServiceRefused as error:
                if error.status != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                    raise ChildFailed(f"The service refused {path.partition('?')[0]}. {error}") from error
            time.sleep(LOADING_POLL_SECONDS)


def wait_until(truth: Callable[[], bool], seconds: float, otherwise: str) -> float:
    """Return the seconds it took until something was true.

    Raises:
        ChildFailed: If it was not within `seconds`; says what is so `otherwise`.
    """
    began = time.monotonic()
    while not truth():
        if time.monotonic() - began > seconds:
            raise ChildFailed(f"{otherwise} (waited {seconds:.0f} s).")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def holding(judgement: Row) -> list[Row]:
    """Return the reasons to retrain that hold."""
    return [reason for reason in judgement["reasons"] if reason["holds"]]


def codes(reasons: Sequence[Row]) -> list[str]:
    """Return what reasons are called."""
    return [reason["code"] for reason in reasons]
