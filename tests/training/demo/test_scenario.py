from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from training.demo.events import Event
from training.demo.replay import ReplayPlan, World, months_between
from training.demo.scenario import Replay
from training.processes import ChildFailed

STATIONS = ("a", "b")
PLAN = ReplayPlan(first="2000-01", broken="2001-01", end="2004-01", horizon=2, known=12, settling=4)
WORLD = World({name: dict.fromkeys(months_between("1998-01", "2004-01"), 1.0) for name in STATIONS}, PLAN.broken)


@dataclass
class FakeService:
    """A service whose first version is worse after the break, and whose jobs have given outcomes."""

    outcomes: list[str]
    state: str = "SUCCEEDED"
    served: str = "1"
    month: str = ""
    forecasts: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, path: str, body: Mapping[str, Any] | None = None, **parameters: object) -> dict[str, Any]:
        """Return the response to a request."""
        responses: dict[str, Callable[[], dict[str, Any]]] = {
            "series": lambda: self._forecast(str(parameters["model"]), str(parameters["horizon"])),
            "forecasts": lambda: {"forecast_id": path.rpartition("/")[2]},
            "observations": lambda: self._observe(body or {}),
            "accuracy": lambda: {"rows": [self._row(version) for version in dict(self.forecasts)]},
            "models": lambda: {"model": {"version": self.served}},
            "schedules": lambda: {"id": f"job-{len(self.outcomes)}"},
            "jobs": lambda: self._assess() if body else self._job(),
        }
        return responses[path.partition("?")[0].split("/")[1]]()

    def _forecast(self, model: str, horizon: str) -> dict[str, Any]:
        version = model.partition("/")[2] or self.served
        self.forecasts.append((version, horizon))
        return {"model": {"version": version}, "forecasts": [{"forecast_id": "f", "median": [1.0, 1.0]}]}

    def _observe(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self.month = body["observations"][-1]["timestamp"]
        return {"accepted": len(body["observations"])}

    def _row(self, version: str) -> dict[str, Any]:
        is_worse = version == "1" and self.month >= PLAN.broken
        return {
            "version": version,
            "period": self.month,
            "scores": 99,
            "mase": 4.0 if is_worse else 0.5,
            "naive_mase": 1.0,
            "coverage": {"80": 0.0 if is_worse else 0.8, "95": None},
        }

    def _assess(self) -> dict[str, Any]:
        holds = self.served == "1" and self.month >= PLAN.broken
        return {"reasons": [{"code": "COVERAGE_OFF", "holds": holds, "sentence": "It is 0.", "value": 0.0}]}

    def _job(self) -> dict[str, Any]:
        outcome = self.outcomes.pop(0)
        if outcome == "PROMOTED":
            self.served = "2"
        return {
            "state": self.state,
            "outcome": outcome,
            "decision": {"reason": "It is better."},
            "winner": "lstm",
            "version": "2",
            "run": {"run_id": "run"},
            "steps": [],
            "progress": None,
            "error": {"code": "X", "detail": "It broke."},
        }


def replayed(service: FakeService) -> Replay:
    """Return a finished replay against a service."""
    events = list[Event]()
    replay = Replay(PLAN, "temperatures", WORLD, STATIONS, service, events.append)
    replay.run()
    assert events == replay.events
    return replay


def kinds(replay: Replay) -> list[str]:
    """Return the kinds of events in the order of their first occurrence."""
    return list(dict.fromkeys(event.kind for event in replay.events))


def test_a_replay_goes_from_forecast_to_swap() -> None:
    """A reason is met after the break, the next job promotes, and the service uses the new version."""
    service = FakeService(["NOT_NEEDED", "PROMOTED"])

    replay = replayed(service)

    order = ["forecast", "observed", "scored", "not_needed", "drift", "job_started", "promoted", "swapped"]
    assert kinds(replay) == order
    assert replay.swap is not None
    assert (replay.swap.month, replay.swap.old, replay.swap.new) == ("2002-01", "1", "2")
    assert next(event for event in replay.events if event.kind == "drift").month == "2001-01"
    assert replay.run_id == "run"
    # Both versions forecast until four months after the swap, so that both are scored.
    assert replay.scores[-1].month == "2002-04"
    assert {one.version for one in replay.scores if one.month == "2002-04"} == {"1", "2"}
    assert set(service.forecasts[-4:]) == {("2", "2"), ("1", "2")}


def test_a_challenger_that_is_not_better_changes_nothing() -> None:
    """A job a year later may promote."""
    replay = replayed(FakeService(["NOT_NEEDED", "KEPT", "PROMOTED"]))

    assert kinds(replay)[-3:] == ["kept", "promoted", "swapped"]
    assert replay.swap is not None
    assert replay.swap.month == "2003-01"


def test_without_a_promotion_the_replay_ends_with_its_months() -> None:
    """There is no swap."""
    replay = replayed(FakeService(["NOT_NEEDED", "KEPT", "KEPT"]))

    assert replay.swap is None
    assert replay.scores[-1].month == "2003-12"


def test_a_failed_job_ends_the_replay() -> None:
    """The error has the job's detail."""
    with pytest.raises(ChildFailed, match=r"It broke\."):
        replayed(FakeService(["NOT_NEEDED", "KEPT"], state="FAILED"))


def test_each_forecast_step_of_a_month_is_due() -> None:
    """A month in two forecasts of three series has six scores."""
    replay = Replay(PLAN, "temperatures", WORLD, "abc", request=dict)
    replay.origins = {"1": ["2000-01", "2000-02", "2000-03"], "2": ["2000-03"]}

    assert replay.due("2000-03") == {"1": 6, "2": 3}
