import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from models.covariates import CovariateNames
from models.series import Series
from models.windows import cut_contexts, cut_targets, last_context, last_contexts, make_panel

SEASON = 12


def dated(length: int, start: str = "1939-01") -> Series:
    """Return a monthly series 0, 1, 2, …."""
    return Series.make(np.arange(length, dtype=np.float64), start=start, frequency="M")


def test_a_long_series_gives_its_newest_values() -> None:
    """Oldest first, as many as the context takes."""
    assert_array_equal(last_context(np.arange(10.0), 4), [6.0, 7.0, 8.0, 9.0])


def test_a_short_series_is_padded_on_the_left() -> None:
    """NaN stands for what was before the first value."""
    assert_array_equal(last_context(np.arange(2.0), 4), [np.nan, np.nan, 0.0, 1.0])


def test_contexts_of_a_batch_are_those_of_its_series() -> None:
    """Each row is the series' own newest values, float64; the phase is that of the first forecast step."""
    batch = [dated(3), dated(100, start="1939-03"), Series.make([1.0, None, 3.0])]

    contexts = last_contexts(batch, 5, SEASON)

    assert contexts.context.dtype == np.float64
    assert contexts.phase.dtype == np.int32
    for row, one in enumerate(batch):
        assert_array_equal(contexts.context[row], last_context(one.values, 5))
    assert_array_equal(contexts.phase, [3, (2 + 100) % SEASON, -1])


def test_a_panel_keeps_each_series_and_its_phase() -> None:
    """Values begin after the padding on the left; the phase is that of the first value, -1 without dates."""
    panel = make_panel([dated(3, "2020-05"), Series.make([7.0])], left=2, right=1, season_length=SEASON)

    assert_array_equal(panel.values, [[np.nan] * 2 + [0, 1, 2] + [np.nan], [np.nan] * 2 + [7] + [np.nan] * 3])
    assert_array_equal(panel.lengths, [3, 1])
    assert_array_equal(panel.phases, [4, -1])


@given(st.integers(1, 40), st.integers(1, 20), st.integers(1, 9), st.data())
def test_a_cut_is_the_past_and_the_target_the_future(
    length: int, context: int, horizon: int, data: st.DataObject
) -> None:
    """The context ends just before the cutoff, the target begins at it, and nothing is in both."""
    cutoff = data.draw(st.integers(1, length))
    series = dated(length)
    panel = make_panel([dated(5), series], context, horizon, SEASON)
    rows, cutoffs = np.array([1]), np.array([cutoff])

    contexts = cut_contexts(panel, rows, cutoffs, context, SEASON)
    targets = cut_targets(panel, rows, cutoffs, horizon)

    assert_array_equal(contexts.context[0], last_context(series.values[:cutoff], context))
    expected = np.append(series.values[cutoff : cutoff + horizon], [np.nan] * horizon)[:horizon]
    assert_array_equal(targets[0], expected)


@given(st.integers(1, 40), st.integers(1, 20))
def test_training_and_serving_cut_the_same_context(length: int, context: int) -> None:
    """A window whose cutoff is a series' end is what the service would send: values and phase alike."""
    series = [dated(length, "1970-08"), Series.make(np.ones(length))]
    panel = make_panel(series, context, 1, SEASON)

    trained = cut_contexts(panel, np.array([0, 1]), np.array([length, length]), context, SEASON)
    served = last_contexts(series, context, SEASON)

    assert_array_equal(trained.context, served.context)
    assert_array_equal(trained.phase, served.phase)


@given(st.integers(2, 40), st.data())
def test_no_context_looks_into_the_future(length: int, data: st.DataObject) -> None:
    """Whatever comes at the cutoff and after it, the context before it is the same."""
    cutoff = data.draw(st.integers(1, length - 1))
    values = np.arange(length, dtype=np.float64)
    changed = np.where(np.arange(length) >= cutoff, -999.0, values)
    rows, cutoffs = np.array([0]), np.array([cutoff])

    before, after = (
        cut_contexts(make_panel([Series.make(one)], 9, 3, SEASON), rows, cutoffs, 9, SEASON)
        for one in (values, changed)
    )

    assert_array_equal(before.context, after.context)


NAMES = CovariateNames(past=("traffic",), future=("price", "holidays_DE"), holidays=("DE",))


def with_covariates(length: int, ahead: int = 4) -> Series:
    """Return a monthly series whose covariates are its steps, times 10 and 100."""
    steps = np.arange(length + ahead, dtype=np.float64)
    return Series.make(
        steps[:length],
        start="2021-01",
        frequency="M",
        past_covariates={"traffic": 10 * steps[:length], "price": 100 * steps[:length]},
        future_covariates={"price": 100 * steps[length:]},
    )


def test_covariates_of_a_batch_lie_beside_its_contexts() -> None:
    """History of all of them in the graph's order, future of those known ahead; what is not given is NaN or counted."""
    batch = [with_covariates(6), dated(2, "2021-01"), Series.make([1.0])]

    contexts = last_contexts(batch, 3, SEASON, names=NAMES, horizon=2)

    assert list(contexts.inputs()) == ["context", "phase", "past_covariates", "future_covariates"]
    assert contexts.past_covariates is not None
    assert contexts.future_covariates is not None
    assert_array_equal(contexts.past_covariates[0], [[30, 300, 2], [40, 400, 3], [50, 500, 0]])
    assert_array_equal(contexts.future_covariates[0], [[600, 0], [700, 0]])
    assert_array_equal(contexts.past_covariates[1], [[np.nan] * 3, [np.nan, np.nan, 1], [np.nan, np.nan, 0]])
    assert_array_equal(contexts.future_covariates[1], [[np.nan, 0], [np.nan, 2]])
    assert np.isnan(contexts.past_covariates[2]).all()
    assert np.isnan(contexts.future_covariates[2]).all()


def test_without_covariates_the_graph_is_fed_two_inputs() -> None:
    """A model that reads none sees none, whatever a series carries."""
    assert list(last_contexts([with_covariates(6)], 3, SEASON).inputs()) == ["context", "phase"]


@given(st.integers(2, 30), st.integers(1, 12), st.integers(1, 6), st.data())
def test_training_and_serving_cut_the_same_covariates(
    length: int, context: int, horizon: int, data: st.DataObject
) -> None:
    """A window at a cutoff is what the service would be sent at that time: no later value of a past covariate."""
    cutoff = data.draw(st.integers(1, length))
    series = with_covariates(length)
    panel = make_panel([dated(5), series], context, horizon, SEASON, names=NAMES)

    trained = cut_contexts(panel, np.array([1]), np.array([cutoff]), context, SEASON, horizon=horizon)
    served = last_contexts([series.before(cutoff)], context, SEASON, names=NAMES, horizon=horizon)

    for one, other in zip(trained.inputs().values(), served.inputs().values(), strict=True):
        assert_array_equal(one, other)


def test_a_part_of_a_batch_keeps_every_input() -> None:
    """Rows stay together."""
    whole = last_contexts([with_covariates(6), with_covariates(9)], 3, SEASON, names=NAMES, horizon=2)

    part = whole.part(slice(1, 2))

    for name, value in part.inputs().items():
        assert_array_equal(value, whole.inputs()[name][1:])
