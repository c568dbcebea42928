from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.spec import ModelSpec
from tests.training.fake_service import FakeService, make_row, serving
from tests.training.registry.publishing import publish
from training.config.retrain import RetrainConfig
from training.registry.client import Registry
from training.registry.location import Version
from training.retraining import triggers
from training.retraining.triggers import assess, watch
from training.service_client.client import Address
from training.service_client.live_accuracy import read_periods, steps_in_period

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = ModelSpec("sales", "lstm", "many_to_many", "M", 12, 24, 24, 12, trained_to="2024-05-31")
CHAMPION = Version("sales", "10", ("champion",), "run", "lstm", 0, {}, "")


class Served(FakeService):
    """A service that has scored version 10, and counts."""

    def respond(self, query: dict[str, str]) -> dict[str, Any]:
        """Return scores below seasonal naive, or a count."""
        if "after" in query:
            return {"observations": 40, "series": 4}
        rows = [make_row(version="10", skill=-0.2, scores=240)]
        return {**super().respond(query), "rows": rows}


@pytest.fixture
def registered(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return a registry with a champion of `sales`."""
    monkeypatch.setattr(registry.models, "resolve", lambda _: CHAMPION)
    monkeypatch.setattr(triggers, "_spec_of", lambda *_: SPEC)
    return registry


@pytest.fixture
def served() -> Iterator[tuple[Served, str]]:
    """Return a service and its address."""
    service = Served()
    with serving(service) as url:
        yield service, url


def test_live_evidence_is_a_reason(registered: Registry, served: tuple[Served, str]) -> None:
    """The champion's own figures, of two seasons, and what was observed since its training."""
    service, url = served

    judgement = assess("sales", RetrainConfig(new_observations=41), Address(url, "alm_key"), registered, NOW)

    assert judgement.retrain
    assert {one.code: one.value for one in judgement.reasons if one.holds} == {
        "SKILL_BELOW_ZERO": -0.2,
        "INPUT_DRIFT": 0.31,
    }
    assert {one.code: one.value for one in judgement.reasons}["NEW_OBSERVATIONS"] == 40
    assert (judgement.name, judgement.version, judgement.at) == ("sales", "10", "2026-01-01T00:00:00+00:00")
    asked = {key: service.requests[0][key] for key in ("model", "version", "by", "window")}
    assert asked == {"model": "sales", "version": "10", "by": "version", "window": "24"}
    assert service.requests[1] == {"after": "2024-05-31", "frequency": "M"}
    assert service.keys == ["Bearer alm_key"] * 2


def test_data_without_dates_is_not_counted(
    registered: Registry, served: tuple[Served, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is unknown what is newer."""
    monkeypatch.setattr(triggers, "_spec_of", lambda *_: replace(SPEC, trained_to=None))

    judgement = assess("sales", RetrainConfig(), Address(served[1]), registered, NOW)

    assert [one.known for one in judgement.reasons if one.code == "NEW_OBSERVATIONS"] == [False]
    assert len(served[0].requests) == 1


def test_a_service_that_is_down_kills_nothing(registered: Registry, served: tuple[Served, str]) -> None:
    """It answers an error, or its address is not configured: five reasons are unknown, none holds."""
    served[0].status = 500

    for address, why in ((Address(served[1]), "answers 500"), (None, "ALMANAC_SERVICE_URL")):
        judgement = assess("sales", RetrainConfig(), address, registered, NOW)

        assert not judgement.retrain
        assert [why in one.sentence for one in judgement.reasons if not one.known] == [True] * 5


def test_the_specification_is_the_registered_one(registry: Registry, tmp_path: Path) -> None:
    """What the champion says of itself is fetched from the registry: its season sets the window, its data the count."""
    registry.models.promote("weather", publish(registry, tmp_path / "model"))
    service = Served()
    with serving(service) as url:
        judgement = assess("weather", RetrainConfig(), Address(url), registry, NOW)

    assert (judgement.name, judgement.version) == ("weather", "1")
    assert service.requests[0]["window"] == "24"
    assert [one.code for one in judgement.reasons if not one.known][-1] == "NEW_OBSERVATIONS"


def test_a_name_that_nobody_trained_is_a_reason(registry: Registry) -> None:
    """The registry has no champion of it; no service is asked."""
    judgement = assess("sales", RetrainConfig(), None, registry, NOW)

    assert [one.code for one in judgement.reasons if one.holds] == ["NO_CHAMPION"]


class Ledger(FakeService):
    """A service that has scored versions 7 and 8 of `sales`, both by month on twelve series."""

    skills = {"8": -0.5, "7": 0.4}  # noqa: RUF012 - set by tests
    months = 4
    truncated = False

    def respond(self, query: dict[str, str]) -> dict[str, Any]:
        """Return rows by step, or by series and period."""
        version = query["version"]
        if "step" not in query:
            rows = [make_row(version=version, step=step, scores=scores) for step, scores in ((1, 48), (2, 36), (3, 20))]
        else:
            generator = np.random.default_rng(int(version))
            rows = [
                make_row(
                    series=f"s{one:02d}",
                    period=f"2024-{month:02d}",
                    scores=2,
                    naive_mase=1.0,
                    mase=(1 - self.skills[version]) * generator.gamma(16, 1 / 16),
                )
                for one in range(12)
                for month in range(1, self.months + 1)
            ]
        return {**super().respond({**query, "by": "version"}), "rows": rows, "truncated": self.truncated}


@pytest.fixture
def promoted(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return a registry whose champion is version 8, and was 7."""
    aliases = {"champion": "8", "previous": "7"}
    monkeypatch.setattr(
        registry.models, "resolve", lambda model: replace(CHAMPION, version=aliases[model.partition("@")[2]])
    )
    monkeypatch.setattr(triggers, "_spec_of", lambda *_: SPEC)
    return registry


def test_a_fresh_champion_that_does_worse_is_seen(promoted: Registry) -> None:
    """Both are asked for at the steps that the fresh one has met, the predecessor over as many newest months."""
    service = Ledger()
    with serving(service) as url:
        found = watch("sales", Address(url), promoted)

    assert found is not None
    assert (found.roll_back, found.fresh, found.predecessor) == (True, "8", "7")
    asked = [{key: one.get(key) for key in ("version", "by", "step", "window", "period")} for one in service.requests]
    assert asked == [
        {"version": "8", "by": "step,version", "step": None, "window": None, "period": None},
        {"version": "8", "by": "series,period", "step": "1-2", "window": None, "period": "month"},
        {"version": "7", "by": "series,period", "step": "1-2", "window": "4", "period": "month"},
    ]


def test_rows_that_were_cut_off_take_no_half_series_along(promoted: Registry) -> None:
    """The last series may lack months."""
    service = Ledger()
    service.truncated = True
    with serving(service) as url:
        found = watch("sales", Address(url), promoted)

    assert found is not None
    assert found.figures["series"] == 11


def test_a_champion_that_stood_two_seasons_is_fresh_no_more(promoted: Registry) -> None:
    """Its decay is a reason to train again, not to go back."""
    service = Ledger()
    service.months = 25
    with serving(service) as url:
        assert watch("sales", Address(url), promoted) is None


def test_no_service_and_a_champion_taken_back_are_not_looked_at(
    promoted: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known, or the champion is older than the version before it: it does not go back and forth."""
    down = Ledger()
    down.status = 500
    with serving(down) as url:
        assert watch("sales", Address(url), promoted) is None
    aliases = {"champion": "7", "previous": "8"}
    monkeypatch.setattr(
        promoted.models, "resolve", lambda model: replace(CHAMPION, version=aliases[model.partition("@")[2]])
    )
    with serving(Ledger()) as url:
        assert watch("sales", Address(url), promoted) is None


def test_a_name_without_a_predecessor_is_not_looked_at(registry: Registry) -> None:
    """There is nothing to go back to, and no service is asked."""
    assert watch("sales", Address("http://127.0.0.1:1"), registry) is None


@pytest.mark.parametrize(
    ("frequency", "period", "steps"),
    [
        ("M", "month", 1),
        ("Q-DEC", "month", 1),
        ("W-SUN", "week", 1),
        ("D", "day", 1),
        ("B", "day", 1),
        ("h", "day", 24),
        ("15min", "day", 96),
    ],
)
def test_periods_hold_steps(frequency: str, period: str, steps: int) -> None:
    """A step is a period of its own, or a part of a day."""
    spec = replace(SPEC, frequency=frequency)
    service = Ledger()
    with serving(service) as url:
        read_periods(Address(url), replace(CHAMPION, version="7"), spec, steps=3, periods=5)

    assert (service.requests[0]["period"], service.requests[0]["window"]) == (period, str(5 * steps))
    assert steps_in_period(spec) == steps
