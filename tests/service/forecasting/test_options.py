"""Bounds, missing steps, outliers and irregular timestamps of a request."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from models import starters
from models.calendar.zoned_grid import parse_frequency
from models.errors import AlmanacError
from service.errors import BatchTooLarge
from service.forecasting.entries import parse_request
from service.forecasting.predict import count_passes, predict
from service.forecasting.request import ForecastQuery
from service.forecasting.response import make_result
from service.selector import LoadedModel, SelectedModel
from service.settings import Settings

HOURS = [f"2024-01-{day:02d}T{hour:02d}:00" for day in range(1, 9) for hour in range(24)]
VALUES = [float(step % 24) for step in range(len(HOURS))]
SALES = {
    "timestamps": ["2024-01-01", "2024-01-04", "2024-01-06", "2024-01-07"],
    "values": [1, 2, 3, 1],
    "frequency": "D",
}


def answer(series: dict[str, Any], **options: object) -> dict[str, Any]:
    """Return the response to one series, forecast by the starter."""
    query, chosen = ask(series, **options)
    return make_result(chosen, *predict(query, chosen, Settings().max_numbers)).body


def ask(series: dict[str, Any], **options: object) -> tuple[ForecastQuery, SelectedModel]:
    """Return the query for one series, and the starter for it."""
    query = parse_request(orjson.dumps({"series": [series], "horizon": 3, **options}), Settings())
    model = LoadedModel("starter", "1", None, starters.load_starter(parse_frequency("M")), datetime.now(UTC))
    return query, SelectedModel(model, None, {one.name: starters.load_starter(one) for one in query.frequencies()})


def test_the_answer_says_which_frequency_was_inferred() -> None:
    """One stamp at half past is named and moved, and jitter is a repair; neither makes half hours."""
    stamps = [*HOURS[:50], "2024-01-03T02:30", *HOURS[51:60], "2024-01-03T12:00:02", *HOURS[61:]]

    (found,) = answer({"timestamps": stamps, "values": VALUES})["forecasts"]

    assert (found["frequency"], found["timestamps"][0][:16]) == ("h", "2024-01-09T00:00")
    assert [(one["code"], one["pointer"]) for one in found["warnings"]] == [("DATE_OUTLIER", "/series/0/timestamps/50")]
    assert [one["code"] for one in found["repairs"]] == ["TIMESTAMPS_SNAPPED"]


@pytest.mark.parametrize("outliers", ["clip", "mask"])
def test_an_implausible_value_is_named_by_its_index(outliers: str) -> None:
    """The forecast is that of the other values."""
    values = [*VALUES[:185], 65535, *VALUES[186:]]

    (found,) = answer({"timestamps": HOURS, "values": values}, outliers=outliers)["forecasts"]

    assert max(found["median"]) < 100
    assert ("VALUES_IMPLAUSIBLE", "/series/0/values/185") in {
        (one["code"], one["pointer"]) for one in found["warnings"]
    }


def test_missing_steps_and_bounds_hold_for_all_series_or_one() -> None:
    """The series' own `missing` wins; of bounds, the tighter hold."""
    asked, zeros, own = (
        answer(SALES | series, **options)["forecasts"][0]
        for series, options in (
            ({}, {}),
            ({}, {"missing": "zero"}),
            ({"bounds": {"minimum": 7}}, {"bounds": {"minimum": 0, "maximum": 8}}),
        )
    )

    assert "MISSING_OR_ZERO" in {one["code"] for one in asked["warnings"]}
    assert {one["code"] for one in zeros["repairs"]} == {"GAP_ZERO"}
    assert min(own["quantiles"]["0.1"]) >= 7
    assert max(own["quantiles"]["0.9"]) <= 8


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"bounds": {"minimum": 2, "maximum": 1}}, "/bounds"),
        ({"missing": "none"}, "/missing"),
        ({"outliers": 5}, "/outliers"),
        ({"mean": "yes"}, "/mean"),
        ({"paths": "yes"}, "/paths"),
        ({"seed": -1}, "/seed"),
        ({"sums": ["1-4"]}, "/sums/0"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], pointer: str) -> None:
    """The whole request is wrong."""
    with pytest.raises(AlmanacError) as caught:
        answer(SALES, **options)

    assert caught.value.pointer == pointer


@pytest.mark.parametrize("asked", [None, False])
def test_a_mean_is_answered_beside_the_median_if_asked_for(*, asked: bool | None) -> None:
    """With bounds kept, and counted as a column; without, the response is as it was."""
    series = SALES | {"bounds": {"minimum": 0}}

    with_mean, usual = (answer(series, mean=mean)["forecasts"][0] for mean in (True, asked))

    assert min(with_mean["mean"]) > 0
    assert len(with_mean["mean"]) == 3
    assert [*usual] == [name for name in with_mean if name != "mean"]
    query, chosen = ask(series, mean=True)
    with pytest.raises(BatchTooLarge, match="with 13 columns are 39 numbers"):
        predict(query, chosen, limit=38)


def test_paths_and_sums_are_answered_if_asked_for() -> None:
    """With the levels of the steps and bounds kept, and counted as columns; without, the response is as it was."""
    series = SALES | {"bounds": {"minimum": 0}}
    asked = {"paths": 4, "seed": 1, "sums": ["1-2", "horizon"], "levels": [80, 95], "mean": True}

    found, usual = (answer(series, **more)["forecasts"][0] for more in (asked, {}))

    assert [name for name in found if name not in usual] == ["mean", "paths", "sums"]
    assert found["paths"].shape == (4, 3)
    assert found["paths"].min() >= 0
    assert [*found["sums"]] == ["1-2", "horizon"]
    total = found["sums"]["horizon"]
    assert [*total["quantiles"]] == [*found["quantiles"]]
    assert [*total["intervals"]] == ["80", "95"]
    assert total["mean"] == pytest.approx(found["mean"].sum(), rel=0.01)
    query, chosen = ask(series, paths=4, sums=["1-2"])
    with pytest.raises(BatchTooLarge, match="with 26 columns are 78 numbers"):
        predict(query, chosen, limit=77)
    assert count_passes(query, chosen) > count_passes(ask(series)[0], chosen)


def test_sums_are_of_steps_in_open_hours() -> None:
    """Steps in closed hours are neither in the answer nor in its sums."""
    values = [10.0 if step // 24 % 7 < 5 and 9 <= step % 24 < 17 else None for step in range(25 * 24 + 17)]
    series = {"start": "2024-01-01", "frequency": "h", "values": values}

    (found,) = answer(series, paths=1, sums=["1-2", "horizon"])["forecasts"]

    assert found["paths"].shape == (1, 3)
    assert [found["sums"][name]["median"] for name in ("1-2", "horizon")] == pytest.approx([20, 30], rel=0.05)


def test_steps_in_closed_hours_count_for_the_limits() -> None:
    """An office that closes on Friday at 17: its next step is on Monday at 9, and those before it take time and memory."""
    values = [1.0 + step % 7 if step // 24 % 7 < 5 and 9 <= step % 24 < 17 else None for step in range(25 * 24 + 17)]

    query, chosen = ask({"start": "2024-01-01T00:00", "frequency": "h", "values": values}, horizon=1)

    assert count_passes(query, chosen) > 1
    with pytest.raises(BatchTooLarge, match="1 series of 1 steps and 64 steps in closed hours"):
        predict(query, chosen, limit=100)
