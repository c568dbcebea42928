import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.networks.decoder import REACHES, Anchors, QuantileHead, SeasonalDifference, SeasonPosition, season_reaches


@pytest.mark.parametrize(
    ("context", "season", "reaches"),
    [(360, 12, REACHES), (60, 12, (1, 2, 3, 5)), (13, 12, (1,)), (5, 12, (1,)), (7, 1, (1, 2, 3, 5))],
)
def test_seasonal_means_reach_as_far_as_the_context(context: int, season: int, reaches: tuple[int, ...]) -> None:
    """Thirty years of months hold them all; a context shorter than a season still has one."""
    assert season_reaches(context, season) == reaches


def test_season_positions_count_from_the_first_forecast_step() -> None:
    """Before it and after it, round the year; the position of the unknown is one past the last."""
    position = SeasonPosition(12, [[-13, -1, 0], [1, 11, 12]])

    found = np.asarray(position(np.array([0, 11, -1], dtype=np.int32)))

    assert found.dtype == np.int32
    assert_array_equal(found[0], [[11, 11, 0], [1, 11, 0]])
    assert_array_equal(found[1], [[10, 10, 11], [0, 10, 11]])
    assert (found[2] == 12).all()


def test_seasonal_differences_need_both_sides() -> None:
    """Zero where either value is unknown or a season back lies before the context."""
    values = np.array([[1.0, 2.0, 4.0, 0.0, 16.0]], dtype=np.float32)
    mask = np.array([[1.0, 1.0, 1.0, 0.0, 1.0]], dtype=np.float32)

    assert_array_equal(SeasonalDifference(2)(values, mask), [[0, 0, 3, 0, 12]])


def test_anchors_are_the_simple_forecasts() -> None:
    """Last value, level, drift, then means of the last one, two, three same-season values, by lag; gaps are stepped over."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(4, 14)).astype(np.float32)
    mask = (generator.random((4, 14)) < 0.7).astype(np.float32)
    mask[:, 5] = 1.0
    values *= mask

    anchors = np.asarray(Anchors((4,), 1, 6)(values, mask))

    assert anchors.shape == (4, 1, 6, 6)
    for row in range(4):
        assert_allclose(anchors[row, 0, :, 0], values[row][mask[row] == 1][-1])
        for step in range(6):
            back = [14 - 4 * k + step % 4 for k in (1, 2, 3)]
            for reach in (1, 2, 3):
                longer = [[values[row, at] for at in back[:far] if mask[row, at]] for far in range(reach, 4)]
                known = next((found for found in longer if found), [0.0])
                assert_allclose(anchors[row, 0, step, 2 + reach], np.mean(known), rtol=1e-6)
    assert_array_equal(anchors[..., 1], np.zeros((4, 1, 6)))


def test_a_line_drifts_on() -> None:
    """A season later it is one mean seasonal difference higher, two seasons later two; gaps are left out of the mean."""
    values = np.arange(20.0, dtype=np.float32)[None] / 10
    mask = np.ones_like(values)
    mask[0, 17] = 0.0

    anchors = np.asarray(Anchors((4,), 1, 8)(values * mask, mask))

    known = [0, 2, 3, 4, 6, 7]
    assert_allclose(anchors[0, 0, known, 2], np.arange(20.0, 28.0)[known] / 10, rtol=1e-5)


def test_anchors_of_an_earlier_step_are_those_it_had_then() -> None:
    """Supervised at every step, each sees what stood before it, as if the context had ended there."""
    generator = np.random.default_rng(1)
    values = generator.normal(size=(2, 12)).astype(np.float32)
    mask = np.ones_like(values)

    anchors = np.asarray(Anchors((4,), 3, 5)(values, mask))

    for step, end in enumerate((10, 11, 12)):
        padded = np.pad(values[:, :end], ((0, 0), (12 - end, 0)))
        known = np.pad(mask[:, :end], ((0, 0), (12 - end, 0)))
        assert_allclose(anchors[:, step], np.asarray(Anchors((4,), 1, 5)(padded, known))[:, 0], rtol=1e-6)


def test_several_seasons_each_have_their_means() -> None:
    """Days and weeks, say: the columns stand side by side."""
    values = np.arange(30.0, dtype=np.float32)[None]

    anchors = np.asarray(Anchors((7, 14), 1, 1)(values, np.ones_like(values)))

    assert_allclose(anchors[0, 0, 0], [29, 0, 30, 30, 23, 19.5, 16, 16, 9])


def test_the_head_begins_as_a_seasonal_forecast() -> None:
    """Untrained, the median is the mean of the seasonal means but for a few hundredths of last value, level and drift."""
    head = QuantileHead(9)
    features = np.random.default_rng(0).normal(size=(3, 1, 6, 8)).astype(np.float32)
    anchors = np.broadcast_to(np.array([100.0, 0.0, 30.0, 4.0, 6.0], dtype=np.float32), (3, 1, 6, 5))

    z = np.asarray(head(features, anchors))

    total = 2 + 2 * np.exp(-4) + np.exp(-2)
    assert_allclose(z[..., 4], (100 * np.exp(-4) + 30 * np.exp(-2) + 4 + 6) / total, rtol=1e-5)
    assert (np.diff(z, axis=-1) > 0).all()
    assert_allclose(z[..., 4] - z[..., 0], z[..., 8] - z[..., 4], rtol=1e-4)


@pytest.mark.parametrize("spread", [0.1, 10.0, 1e4])
@pytest.mark.parametrize("levels", [1, 3, 9])
def test_quantiles_of_any_weights_never_cross(spread: float, levels: int) -> None:
    """Every gap is a softplus, so the order does not depend on what was learned."""
    generator = np.random.default_rng(levels)
    head = QuantileHead(levels)
    features = generator.normal(size=(20, 2, 3, 8)).astype(np.float32)
    anchors = generator.normal(size=(20, 2, 3, 5)).astype(np.float32)
    head(features, anchors)
    head.set_weights([spread * generator.normal(size=one.shape) for one in head.get_weights()])

    z = np.asarray(head(features, anchors))

    assert z.shape == (20, 2, 3, levels)
    assert np.isfinite(z).all()
    assert (np.diff(z, axis=-1) >= 0).all()
