from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from models.calendar.zoned_grid import parse_frequency, steps_between
from models.covariates import CovariateNames
from models.errors import DataInvalid
from models.series import Series
from training.data.eligibility import describe_validated, start_steps
from training.data.window_sampling import (
    HELD_OUT_HORIZONS,
    HELD_OUT_SHARE,
    MOST_ORIGINS,
    WANTED_ORIGINS,
    Dataset,
    make_dataset,
    wanted_origins,
)

SEASON = 12
THOUSAND = 1000.0
"""Value of a point: a thousand times its series, and its place."""


def counted(lengths: Sequence[int], start: str | None = "1990-03") -> list[Series]:
    """Return series whose every value says which series and which place it comes from."""
    return [
        Series.make(THOUSAND * row + np.arange(length), id=str(row), start=start, frequency="M")
        for row, length in enumerate(lengths)
    ]


def dataset_of(lengths: Sequence[int], *, context: int = 24, horizon: int = 6, steps: int = 1) -> Dataset:
    """Return a data set of such series."""
    return make_dataset(counted(lengths), context_length=context, season_length=SEASON, horizon=horizon, steps=steps)


def places(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return series and place of every known value."""
    known = values[np.isfinite(values)].astype(np.int64)
    return known // int(THOUSAND), known % int(THOUSAND)


LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=5).filter(lambda lengths: max(lengths) > 40)


@given(LENGTHS, st.integers(1, 40), st.integers(1, 12), st.sampled_from([1, 5]), st.integers(0, 9))
def test_training_never_sees_what_is_held_out(
    lengths: list[int], context: int, horizon: int, steps: int, seed: int
) -> None:
    """No window holds or targets a value from a validation origin on, whatever the lengths."""
    dataset = dataset_of(lengths, context=context, horizon=horizon, steps=steps)

    batch = dataset.draw(np.random.default_rng(seed), 64)

    for values in (batch.contexts.context, batch.targets):
        rows, at = places(values)
        assert (at < dataset.ends[rows]).all()
    assert (dataset.cutoffs >= dataset.ends[dataset.rows]).all()


@given(LENGTHS, st.integers(1, 12))
def test_validation_origins_lie_before_the_end(lengths: list[int], horizon: int) -> None:
    """Every step of their horizon was observed, and their context is what lies just before."""
    dataset = dataset_of(lengths, horizon=horizon)

    batch, scales = dataset.origins()

    assert batch.targets.shape == (len(dataset.rows), 1, horizon)
    assert np.isfinite(batch.targets).all()
    assert_array_equal(batch.targets[:, 0, 0], THOUSAND * dataset.rows + dataset.cutoffs)
    assert_array_equal(batch.contexts.context[:, -1], batch.targets[:, 0, 0] - 1)
    assert (scales > 0).all()


@given(LENGTHS, st.sampled_from([1, 4]), st.integers(0, 9))
def test_targets_follow_their_contexts(lengths: list[int], steps: int, seed: int) -> None:
    """The newest value always stays, the newest target begins right after it, each earlier one a step before."""
    batch = dataset_of(lengths, steps=steps).draw(np.random.default_rng(seed), 32)

    newest = batch.contexts.context[:, -1]
    assert np.isfinite(newest).all()
    for back in range(steps):
        first = batch.targets[:, steps - 1 - back, 0]
        known = np.isfinite(first)
        assert_array_equal(first[known], (newest + 1 - back)[known])


@pytest.mark.parametrize("length", [60, 100, 600])
def test_a_window_has_a_season_before_its_first_supervised_step(length: int) -> None:
    """Nothing later may scale it: without values there, it would have no scale."""
    dataset = dataset_of([length], context=60, steps=30)

    contexts = dataset.draw(np.random.default_rng(0), 500).contexts.context

    before = np.isfinite(contexts[:, : 60 - 30 + 1])
    assert (before.sum(axis=1) >= 5).all()
    assert (before.sum(axis=1) >= SEASON).mean() > 0.8


@given(st.integers(0, 9))
def test_phases_are_the_months_of_the_first_forecast_step(seed: int) -> None:
    """The series begin in March; some windows lose their dates, so that undated series are at home."""
    dataset = dataset_of([80, 60])

    drawn = dataset.draw(np.random.default_rng(seed), 200).contexts
    validated = dataset.origins()[0].contexts

    months = (2 + drawn.context[:, -1] % THOUSAND + 1) % SEASON
    dated = drawn.phase >= 0
    assert 0 < dated.mean() < 1
    assert_array_equal(drawn.phase[dated], months[dated])
    assert_array_equal(validated.phase, (2 + dataset.cutoffs) % SEASON)


def test_series_without_dates_have_no_phase() -> None:
    """Neither in training nor in validation."""
    dataset = make_dataset(counted([60], start=None), context_length=24, season_length=SEASON, horizon=6)

    assert (dataset.draw(np.random.default_rng(0), 20).contexts.phase == -1).all()
    assert (dataset.origins()[0].contexts.phase == -1).all()


def test_short_series_are_learned_from_whole() -> None:
    """Too short to be validated on, a series gives training windows up to its last value."""
    dataset = dataset_of([80, 5])

    batch = dataset.draw(np.random.default_rng(0), 500)

    assert 1 not in dataset.rows
    rows, at = places(batch.targets)
    assert set(at[rows == 1].tolist()) == {4}


def ended(months: int, length: int, row: int) -> Series:
    """Return a counted series that ended so many months before February 2020."""
    end = np.datetime64("2020-03", "M") - months
    values = THOUSAND * row + np.arange(length)
    return Series.make(values, id=str(row), start=str(end - length), frequency="M")


def test_where_most_series_go_on_only_they_are_validated_on() -> None:
    """And training learns nothing of the time that they are validated on, from whichever series."""
    late, ended_before, young = (
        [ended(row, 90, row) for row in range(6)],
        [ended(12, 90, 6), ended(40, 90, 7)],
        [ended(3, 10, 8)],
    )

    dataset = make_dataset([*late, *ended_before, *young], context_length=24, season_length=SEASON, horizon=6)

    assert set(dataset.rows.tolist()) == {0, 1, 2, 3, 4, 5}
    starts = start_steps([*late, *ended_before, *young])
    assert_array_equal(starts, [*(40 - row for row in range(6)), 28, 0, 117])
    first = int(np.median([dataset.times[dataset.rows == row].min() for row in range(6)]))
    assert (starts[:-1] + dataset.ends[:-1] <= first).all()
    assert_array_equal(dataset.ends[6:], [first - 28, 90, 0])
    assert_array_equal(dataset.whole().ends, [90] * 8 + [10])


def test_one_young_series_does_not_make_the_others_ended() -> None:
    """It is too short to be validated on, so it does not say what is newest."""
    series = [*(ended(20, 90, row) for row in range(5)), ended(60, 90, 5), ended(0, 8, 6)]

    dataset = make_dataset(series, context_length=24, season_length=SEASON, horizon=6)

    assert set(dataset.rows.tolist()) == {0, 1, 2, 3, 4}
    assert [one.code for one in describe_validated(series, 6, SEASON)] == ["VALIDATION_CURRENT"]


def test_empty_values_at_the_end_are_no_observations() -> None:
    """A long file may list the months that a series that ended has not."""
    gone = [
        Series.make([*range(1, 61), *[None] * 40], id=f"gone{row}", start="2011-11", frequency="M") for row in range(4)
    ]

    dataset = make_dataset(
        [*(ended(0, 90, row) for row in range(6)), *gone], context_length=24, season_length=SEASON, horizon=6
    )

    assert set(dataset.rows.tolist()) == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("frequency", "starts", "last"),
    [
        ("B", ["2024-01-02", "2024-03-15", "2025-06-05", "2025-06-09"], "2025-06-10"),
        ("M", ["1980-04-01", "2020-02-01", "2020-01-01", "1999-12-01"], "2020-03-01"),
        ("Q", ["1990-01-01", "2019-10-01", "2020-01-01", "2005-07-01"], "2020-04-01"),
        ("D", ["1999-12-31", "2000-02-28", "2004-02-29", "2020-03-01"], "2020-03-02"),
        ("h", ["2020-03-01T05:00", "2020-03-01T23:00", "2020-03-02T00:00", "2020-03-02T09:00"], "2020-03-02T12:00"),
    ],
)
def test_what_ends_together_is_said_to(frequency: str, starts: list[str], last: str) -> None:
    """Steps are the calendar's own: months and business days have no length."""
    kind = parse_frequency(frequency)
    lengths = [steps_between(np.datetime64(start, "us"), np.datetime64(last, "us"), kind) + 1 for start in starts]
    series = [Series.make(np.ones(n), start=start, frequency=kind) for n, start in zip(lengths, starts, strict=True)]

    ends = start_steps(series) + lengths

    assert ends.min() == ends.max()


def test_where_series_end_at_any_time_all_are_validated_on() -> None:
    """It is not known then which of them will be forecast."""
    series = [ended(10 * row, 90, row) for row in range(5)]

    dataset = make_dataset(series, context_length=24, season_length=SEASON, horizon=6)

    assert set(dataset.rows.tolist()) == {0, 1, 2, 3, 4}
    assert (dataset.ends < 90).all()


def test_a_few_series_that_ended_are_validated_on_like_the_others() -> None:
    """One in twenty hardly moves a mean."""
    series = [*(ended(0, 90, row) for row in range(39)), ended(40, 90, 39)]

    dataset = make_dataset(series, context_length=24, season_length=SEASON, horizon=6)
    more = [ended(40, 90, 40 + row) for row in range(2)]
    stricter = make_dataset([*series, *more], context_length=24, season_length=SEASON, horizon=6)

    assert 39 in dataset.rows
    assert set(stricter.rows.tolist()) == set(range(39))


def test_series_without_dates_end_with_the_newest() -> None:
    """So they are validated on beside series with dates."""
    series = [ended(0, 90, 0), *counted([90, 80], start=None)]

    dataset = make_dataset(series, context_length=24, season_length=SEASON, horizon=6)

    assert set(dataset.rows.tolist()) == {0, 1, 2}
    assert len(set(dataset.times[dataset.cutoffs == dataset.cutoffs.max()].tolist())) == 1


def test_where_those_that_go_on_cannot_be_validated_on_the_others_are() -> None:
    """Constant ones have no scale; one that is left among many that ended does not stand for all."""
    flat = [Series.make(np.full(90, 7.0), id=name, start="2012-09", frequency="M") for name in "abc"]
    before = [ended(40, 90, row) for row in range(3)]

    only = make_dataset([*flat, *before], context_length=24, season_length=SEASON, horizon=6)
    most = make_dataset([*flat, *before, ended(0, 90, 9)], context_length=24, season_length=SEASON, horizon=6)

    assert set(only.rows.tolist()) == {3, 4, 5}
    assert set(most.rows.tolist()) == {3, 4, 5, 6}


def test_a_single_point_harms_nobody() -> None:
    """A series of one value has nothing to learn from; the others are trained on."""
    dataset = dataset_of([1, 80])

    batch = dataset.draw(np.random.default_rng(0), 100)

    assert set(places(batch.contexts.context)[0].tolist()) == {1}


def test_windows_are_made_harder_now_and_then() -> None:
    """Some are shortened, some have gaps, most are whole: what a service meets is met in training."""
    dataset = dataset_of([400], context=24)

    missing = np.isnan(dataset.draw(np.random.default_rng(0), 1000).contexts.context).sum(axis=1)

    assert 0.5 < (missing == 0).mean() < 0.95
    assert missing.max() > 12


def test_at_last_nothing_is_held_out() -> None:
    """The whole data set reaches each series' last value."""
    dataset = dataset_of([60, 90])

    batch = dataset.whole().draw(np.random.default_rng(0), 2000)

    rows, at = places(batch.targets)
    assert [at[rows == row].max() for row in (0, 1)] == [59, 89]


def test_the_same_seed_draws_the_same_windows() -> None:
    """And the next draw others."""
    dataset = dataset_of([60, 90])
    one, two = np.random.default_rng(7), np.random.default_rng(7)

    first, again, next_one = dataset.draw(one, 50), dataset.draw(two, 50), dataset.draw(one, 50)

    assert_array_equal(first.contexts.context, again.contexts.context)
    assert_array_equal(first.targets, again.targets)
    assert not np.array_equal(first.targets, next_one.targets, equal_nan=True)


def test_thinned_origins_are_spread_over_all() -> None:
    """As many as asked for, the first and the last among them."""
    dataset = dataset_of([90] * 5)
    everything, scales = dataset.origins()

    thinned, kept = dataset.origins(4)

    assert len(thinned.targets) == len(kept) == 4
    assert_array_equal(thinned.targets[[0, -1]], everything.targets[[0, -1]])
    assert_array_equal(dataset.origins(10_000)[1], scales)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 48))
def test_validation_takes_what_it_needs_and_no_more(lengths: list[int], horizon: int) -> None:
    """At least one origin a series; more only until there are enough, and while most of the history stays."""
    back = wanted_origins(np.array(lengths), horizon)

    assert back[0] == 0
    assert (np.diff(back) > 0).all()
    assert len(back) <= MOST_ORIGINS
    assert len(back) == 1 or back[-1] + horizon <= HELD_OUT_SHARE * np.median(lengths)
    assert back[-1] <= max((HELD_OUT_HORIZONS - 1) * horizon, WANTED_ORIGINS // len(lengths))


def test_long_series_are_validated_on_three_horizons() -> None:
    """A single one may be a calm time or a wild one; each has two origins."""
    assert_array_equal(wanted_origins(np.full(400, 300), 24), [0, 12, 24, 36, 48])


def test_origins_can_be_asked_for() -> None:
    """So many for each series that is long enough."""
    dataset = make_dataset(counted([80, 80, 4]), context_length=24, season_length=SEASON, horizon=6, origins=3)

    assert_array_equal(np.bincount(dataset.rows), [3, 3])


@pytest.mark.parametrize(
    "series",
    [
        counted([5, 3, 1]),
        [Series.make(np.full(80, 7.0))],
        [Series.make(np.tile(np.arange(12.0), 8))],
        [Series.make([1.0, 2.0] * 20 + [None] * 30)],
        [Series.make([None] * 60 + [1.0, 2.0] * 3)],
    ],
    ids=["too short", "constant", "a season without end", "no target", "no context"],
)
def test_series_that_cannot_be_validated_on_are_refused(series: list[Series]) -> None:
    """The error says how many there were, why, and what to do."""
    with pytest.raises(DataInvalid, match=f"None of {len(series)} series can be validated on") as caught:
        make_dataset(series, context_length=24, season_length=SEASON, horizon=6, origins=1)

    assert caught.value.hint


NAMES = CovariateNames(("traffic",), ("price",))


def informed(length: int = 80) -> Dataset:
    """Return a data set of one series whose covariates are its places, times 10 and 100."""
    steps = np.arange(length + 3, dtype=np.float64)
    series = Series.make(
        steps[:length],
        past_covariates={"traffic": 10 * steps[:length], "price": 100 * steps[:length]},
        future_covariates={"price": 100 * steps[length:]},
    )
    return make_dataset([series], context_length=24, season_length=SEASON, horizon=6, names=NAMES)


def test_windows_carry_covariates_up_to_their_cutoff_and_ahead() -> None:
    """History beside the values, those known ahead over the horizon; past a series' end as far as they are known."""
    dataset = informed()

    for batch in (dataset.draw(np.random.default_rng(0), 200), dataset.origins()[0]):
        past, ahead = batch.contexts.past_covariates, batch.contexts.future_covariates
        assert past is not None
        assert ahead is not None
        newest = batch.contexts.context[:, -1]
        known = np.isfinite(past[:, -1, 0])
        assert_array_equal(past[known, -1, 0], 10 * newest[known])
        first = np.isfinite(ahead[:, 0, 0])
        assert_array_equal(ahead[first, 0, 0], 100 * (newest[first] + 1))
        assert np.nanmax(past[..., 0]) < 10 * dataset.cutoffs.max()


def test_some_windows_lose_a_covariate() -> None:
    """Its history or its future, whole, in about a tenth of the windows each; a service meets such requests too."""
    batch = informed(400).draw(np.random.default_rng(0), 3000).contexts

    assert batch.past_covariates is not None
    assert batch.future_covariates is not None
    for columns in (batch.past_covariates[..., 0], batch.past_covariates[..., 1], batch.future_covariates[..., 0]):
        assert 0.06 < np.isnan(columns).all(axis=1).mean() < 0.15


def test_covariates_leave_the_other_draws_as_they_are() -> None:
    """The same seed cuts the same windows with covariates and without."""
    plain = make_dataset([Series.make(np.arange(80.0))], context_length=24, season_length=SEASON, horizon=6)

    one, other = (data.draw(np.random.default_rng(3), 50) for data in (plain, informed()))

    assert_array_equal(one.contexts.context, other.contexts.context)
    assert_array_equal(one.targets, other.targets)
    assert one.contexts.past_covariates is None
