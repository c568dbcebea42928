"""Live story: what a replay asks of a service, and what it makes of the answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from training.demo.events import Event
from training.demo.live_scenario import Listener, Story, play
from training.demo.live_service import LiveService
from training.demo.replay import Plan, World, months_between
from training.processes import ChildFailed

STATIONS = ("a", "b")
PLAN = Plan(first="2000-01", broken="2001-01", end="2004-01", horizon=2, known=12, settling=4)
WORLD = World({name: dict.fromkeys(months_between("1998-01", "2004-01"), 1.0) for name in STATIONS}, PLAN.broken)


@dataclass
class House:
    """What a service that is made up here knows."""

    served: str = "1"
    outcomes: list[str] = field(default_factory=list)
    month: str = ""
    forecasts: list[tuple[str, str]] = field(default_factory=list)
    state: str = "SUCCEEDED"


class FakeService(LiveService):
    """A service whose first version errs after the break, and that promotes as it is told."""

    def __init__(self, house: House) -> None:
        """Answer for a house."""
        super().__init__("http://nowhere", "temperatures", PLAN.horizon)
        object.__setattr__(self, "house", house)

    house: House

    def _ask(self, path: str, body: Mapping[str, Any] | None = None, **parameters: object) -> dict[str, Any]:
        query = {key: str(value) for key, value in parameters.items()}
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "series": lambda: self._forecast(query),
            "forecasts": lambda: {"forecast_id": path.rpartition("/")[2]},
            "observations": lambda: self._observe(body or {}),
            "accuracy": lambda: {"rows": [self._row(version) for version in self._versions()]},
            "models": lambda: {"model": {"version": self.house.served}},
            "schedules": lambda: {"id": f"job-{len(self.house.outcomes)}"},
            "jobs": lambda: self._judge() if body else self._job(),
        }
        return answers[path.partition("?")[0].split("/")[1]]()

    def _forecast(self, query: Mapping[str, str]) -> dict[str, Any]:
        version = query["model"].partition("/")[2] or self.house.served
        self.house.forecasts.append((version, query["horizon"]))
        return {"model": {"version": version}, "forecasts": [{"forecast_id": "f", "median": [1.0, 1.0]}]}

    def _observe(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self.house.month = body["observations"][-1]["timestamp"]
        return {"accepted": len(body["observations"])}

    def _versions(self) -> list[str]:
        return list(dict.fromkeys(version for version, _ in self.house.forecasts))

    def _row(self, version: str) -> dict[str, Any]:
        aged = version == "1" and self.house.month >= PLAN.broken
        return {
            "version": version,
            "period": self.house.month,
            "scores": 99,
            "mase": 4.0 if aged else 0.5,
            "naive_mase": 1.0,
            "coverage": {"80": 0.0 if aged else 0.8, "95": None},
        }

    def _judge(self) -> dict[str, Any]:
        holds = self.house.served == "1" and self.house.month >= PLAN.broken
        sentence = "The 80 % interval held nothing."
        return {"reasons": [{"code": "COVERAGE_OFF", "holds": holds, "sentence": sentence, "value": 0.0}]}

    def _job(self) -> dict[str, Any]:
        outcome = self.house.outcomes.pop(0)
        if outcome == "PROMOTED":
            self.house.served = "2"
        return {
            "state": self.house.state,
            "outcome": outcome,
            "decision": {"reason": "Better by far."},
            "winner": "lstm",
            "version": "2",
            "run": {"run_id": "run"},
            "steps": [],
            "progress": None,
            "error": {"code": "X", "detail": "Out of luck."},
        }


def replay(outcomes: list[str], state: str = "SUCCEEDED") -> tuple[Story, House]:
    """Return a story that was played against a service whose jobs come out so, and the service's house."""
    house, told = House(outcomes=outcomes, state=state), list[Event]()
    story = Story(PLAN, Listener(told.append, lambda _job: None))
    play(story, FakeService(house), WORLD, STATIONS)
    assert told == story.events
    return story, house


def kinds(story: Story) -> list[str]:
    """Return the kinds of events in the order in which each came first."""
    return list(dict.fromkeys(event.kind for event in story.events))


def test_the_story_goes_from_forecast_to_swap_in_order() -> None:
    """Reasons fire after the break, the next tick's job promotes, and the version in the answers changes."""
    story, _ = replay(["NOT_NEEDED", "PROMOTED"])

    assert kinds(story) == [
        "forecast",
        "observed",
        "scored",
        "not_needed",
        "drift",
        "job_started",
        "promoted",
        "swapped",
    ]
    assert story.swap is not None
    assert (story.swap.month, story.swap.old, story.swap.new) == ("2002-01", "1", "2")
    drift = next(event for event in story.events if event.kind == "drift")
    assert drift.month == "2001-01"
    assert story.run_id == "run"


def test_the_old_version_is_asked_beside_the_new_one_until_the_end() -> None:
    """After the swap both versions forecast every month, so that both are scored; four months later it is over."""
    story, house = replay(["NOT_NEEDED", "PROMOTED"])

    assert story.scores[-1].month == "2002-04"
    assert {one.version for one in story.scores if one.month == "2002-04"} == {"1", "2"}
    assert set(house.forecasts[-4:]) == {("2", "2"), ("1", "2")}


def test_a_challenger_that_is_no_better_changes_nothing() -> None:
    """The champion stays, the schedule ticks again a year later, and a promotion then is found."""
    story, _ = replay(["NOT_NEEDED", "KEPT", "PROMOTED"])

    assert kinds(story)[-3:] == ["kept", "promoted", "swapped"]
    assert story.swap is not None
    assert story.swap.month == "2003-01"


def test_without_a_promotion_the_months_end() -> None:
    """Nothing is waited for that does not come."""
    story, _ = replay(["NOT_NEEDED", "KEPT", "KEPT"])

    assert story.swap is None
    assert story.scores[-1].month == "2003-12"


def test_a_job_that_fails_ends_the_story_with_its_reason() -> None:
    """What the job says is passed on."""
    with pytest.raises(ChildFailed, match=r"has failed: Out of luck\."):
        replay(["NOT_NEEDED", "KEPT"], state="FAILED")


def test_each_version_is_owed_the_steps_that_it_forecast() -> None:
    """A month that lies in two forecasts of three series has six scores."""
    story = Story(PLAN, Listener(lambda _event: None, lambda _job: None))
    story.asked = {"1": ["2000-01", "2000-02", "2000-03"], "2": ["2000-03"]}

    assert story.due("2000-03", 3) == {"1": 6, "2": 3}
