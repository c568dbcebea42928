import numpy as np
import pandas as pd
import pytest

from models.calendar.alignment import LEFT_OUT, align
from models.calendar.exact_frequency import FiscalPeriods
from models.calendar.zoned_grid import Timestamps, infer_frequency, parse_frequency
from models.errors import AlmanacError, FrequencyNotInferred, TimestampsDuplicated, TimestampsOffCalendar

ALIASES = ["MS", "ME", "BME", "QS", "YS", "B", "D", "2W-WED", "6h", "h", "15min", "s", "250ms"]


def made(alias: str, count: int = 60) -> Timestamps:
    """Return regular timestamps."""
    return pd.date_range("2019-03-01", periods=count, freq=alias, unit="us").to_numpy().copy()


def part_of_step(stamps: Timestamps, share: float) -> np.timedelta64:
    """Return a share of the shortest step."""
    step = int(np.diff(stamps).astype(np.int64).min())
    return np.timedelta64(int(share * step), "us")


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("place", [0, 31, 59])
def test_the_usual_step_wins_over_one_outlier(alias: str, place: int) -> None:
    """At any place it keeps neither the frequency nor the grid from being found, and takes its free step."""
    regular = made(alias)
    stamps = regular.copy()
    stamps[place] += part_of_step(stamps, 0.3)

    frequency = infer_frequency(stamps)
    found = align(stamps, frequency)

    assert frequency == parse_frequency(alias)
    assert (found.start, found.outliers) == (regular[0], (place,))
    np.testing.assert_array_equal(found.steps, np.arange(60))


@pytest.mark.parametrize("alias", ALIASES)
def test_an_outlier_between_two_taken_steps_is_left_out(alias: str) -> None:
    """No value is overwritten."""
    regular = made(alias)

    found = align(np.insert(regular, 31, regular[30] + part_of_step(regular, 0.4)), parse_frequency(alias))

    assert found.steps[31] == LEFT_OUT
    np.testing.assert_array_equal(np.delete(found.steps, 31), np.arange(60))


@pytest.mark.parametrize("alias", ALIASES)
def test_jitter_snaps_to_the_round_grid(alias: str) -> None:
    """A twentieth of a step, at most an hour, is not another frequency; the grid has the round times."""
    regular = made(alias)
    reach = min(int(part_of_step(regular, 0.04).astype(np.int64)), 3_000_000_000)
    late = np.random.default_rng(0).integers(0, reach, 60).astype("m8[us]")

    frequency = infer_frequency(regular + late)
    found = align(regular + late, frequency)

    assert (frequency, found.start) == (parse_frequency(alias), regular[0])
    assert len(found.jittered) == np.count_nonzero(late.astype(np.int64))
    assert found.largest_shift == late.max()


def test_a_sensor_at_odd_minutes_keeps_its_minute() -> None:
    """The grid is not moved further than the jitter explains."""
    stamps = made("h") + np.timedelta64(13 * 60, "s") + (np.arange(60) % 7 - 3).astype("m8[s]")

    assert align(stamps, infer_frequency(stamps)).start == np.datetime64("2019-03-01T00:13")


def test_two_stamps_on_one_step_are_refused_by_name() -> None:
    """Fractions of seconds are shown."""
    stamps = np.insert(made("h"), 5, made("h")[4] + np.timedelta64(250, "ms"))

    with pytest.raises(TimestampsDuplicated, match=r"2019-03-01T04:00 and 2019-03-01T04:00:00\.250 both") as caught:
        align(stamps, parse_frequency("h"))

    assert caught.value.pointer == "/timestamps/5"


@pytest.mark.parametrize("alias", ["B", "D", "6h", "15min", "s"])
def test_too_many_outliers_are_refused_by_name(alias: str) -> None:
    """A grid that moves by half a step is not a finer frequency with gaps; the first timestamps off it are named."""
    stamps = made(alias)
    stamps[32:] += part_of_step(stamps, 0.5)

    for call, error in (
        (infer_frequency, FrequencyNotInferred),
        (lambda all_: align(all_, parse_frequency(alias)), TimestampsOffCalendar),
    ):
        with pytest.raises(error, match=r"28 of 60 timestamps") as caught:
            call(stamps)
        assert str(stamps[32])[:16] in caught.value.detail


@pytest.mark.parametrize("alias", ["h", "5min", "s"])
@pytest.mark.parametrize("share", [0.08, 0.2, 0.3])
def test_jitter_beyond_the_tolerance_is_refused_with_the_step_that_is_meant(alias: str, share: float) -> None:
    """Stating the frequency would not help, and no finer frequency is made up: the times have to be rounded."""
    stamps = made(alias)
    reach = int(part_of_step(stamps, share).astype(np.int64))
    stamps = stamps + np.random.default_rng(0).integers(-reach, reach, 60).astype("m8[us]")

    with pytest.raises(FrequencyNotInferred, match=f"The usual step is {parse_frequency(alias).name}, but ") as caught:
        infer_frequency(stamps)

    assert "round them to their step" in caught.value.hint


@pytest.mark.parametrize(("count", "every"), [(120, 10), (104, 17), (120, 4)])
def test_weeks_with_strays_are_no_business_days(count: int, every: int) -> None:
    """Mondays of which many are Tuesdays: the strays are named, and no advice leads back here."""
    stamps = made("W-MON", count)
    stamps[5::every] += np.timedelta64(1, "D")
    off = len(stamps[5::every])

    for call in (infer_frequency, lambda all_: align(all_, parse_frequency("W-MON"))):
        with pytest.raises(
            (FrequencyNotInferred, TimestampsOffCalendar), match=f"{off} of {count} timestamps"
        ) as caught:
            call(stamps)
        assert str(stamps[5])[:10] in caught.value.detail
        assert every == 4 or "Correct these timestamps" in caught.value.hint


def test_a_rare_saturday_does_not_make_business_days_days() -> None:
    """Its value has no step and is left out."""
    stamps = np.sort(np.append(made("B"), np.datetime64("2019-03-09", "us")))

    assert infer_frequency(stamps).name == "B"


@pytest.mark.parametrize(
    ("weeks", "season_length"),
    [
        ([4, 4, 5], 12),
        ([4, 5, 4], 12),
        ([5, 4, 4], 12),
        ([*[4, 4, 5] * 3, 4, 4, 6], 12),
        ([*[4, 4, 5] * 5, 8, 5], 12),
        ([13, 13, 13, 14], 4),
        ([*[13, 13, 13, 14] * 2, 27, 13, 13], 4),
        ([52, 52, 52, 52, 53], 1),
    ],
)
def test_fiscal_periods_are_never_weeks(weeks: list[int], season_length: int) -> None:
    """They are refused with the season that they have, also with a year's 53rd week and where one is missing."""
    stamps = np.datetime64("2020-07-05", "us") + np.cumsum([0, *weeks * 6]).astype("m8[W]")

    with pytest.raises(FiscalPeriods) as caught:
        infer_frequency(stamps)

    assert caught.value.season_length == season_length
    lacks = [at for at, one in enumerate(weeks) if one in {8, 27}]
    assert ("is missing after" in str(caught.value)) == bool(lacks)
    assert not lacks or f"is missing after timestamp {lacks[0] + 1}:" in str(caught.value)


@pytest.mark.parametrize("alias", ["h", "D", "W-MON", "MS"])
def test_few_timestamps_have_no_outliers(alias: str) -> None:
    """Of eleven dates, it is unclear which one is wrong."""
    stamps = made(alias, 11)
    stamps[5] += part_of_step(made(alias), 0.3)

    with pytest.raises(AlmanacError):
        align(stamps, parse_frequency(alias))
