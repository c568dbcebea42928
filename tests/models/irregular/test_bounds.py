import numpy as np
import pytest

from models import starters
from models.calendar.zoned_grid import Frequency
from models.irregular.bounds import UNBOUNDED, Bounds, BoundsInvalid, read_bounds, tighter
from models.series import Series
from models.values import Values


@pytest.mark.parametrize(
    ("bounds", "pointer"),
    [
        ({"minimum": 2, "maximum": 1}, "/bounds"),
        ({"minimum": "0"}, "/bounds/minimum"),
        ({"maximum": True}, "/bounds/maximum"),
        ({"floor": 0}, "/bounds"),
        (5, "/bounds"),
    ],
)
def test_bounds_that_cannot_be_kept_are_refused(bounds: object, pointer: str) -> None:
    """The pointer says which part."""
    with pytest.raises(BoundsInvalid) as caught:
        read_bounds(bounds)

    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [((0, 9), (-1, 5), (0, 5)), (UNBOUNDED, (0, 5), (0, 5)), ((0, 5), UNBOUNDED, (0, 5)), ((7, 9), (0, 1), None)],
)
def test_the_tighter_bounds_hold(one: Bounds, other: Bounds, both: Bounds | None) -> None:
    """Bounds of a series and of its request; an error if nothing is left."""
    if both is None:
        with pytest.raises(BoundsInvalid, match="minimum 7, maximum 1"):
            tighter(one, other)
    else:
        assert tighter(one, other) == both


def test_bounds_are_kept_by_every_number_and_by_what_is_fed_back() -> None:
    """Beyond the trained horizon too: a falling series stops at its floor."""
    falling = np.linspace(100.5, 0.5, 60)
    forecaster = starters.load_starter(Frequency("M"))

    free, bounded = (
        forecaster.forecast([Series.make(falling, frequency="M", bounds=bounds)], 60, levels=(95,))[0]
        for bounds in (None, {"minimum": 0, "maximum": 4})
    )

    assert free.median.min() < 0
    assert bounded.median.min() == bounded.quantiles.min() == bounded.intervals[0].lower.min() == 0
    assert max(bounded.quantiles.max(), bounded.intervals[0].upper.max()) <= 4
    (warning,) = [one for one in bounded.warnings if one.code == "BOUNDS_EXCEEDED"]
    assert "57 of 60 values lie outside the bounds 0 to 4" in warning.detail
    assert not any(one.code == "BOUNDS_EXCEEDED" for one in free.warnings)


@pytest.mark.parametrize("values", [np.zeros(40), np.append(np.full(3, np.nan), np.zeros(40))])
def test_zeros_are_forecast_as_zero(values: Values) -> None:
    """No tiny number of the scale's floor is left."""
    for kind in ("M", "D", "Y"):
        (found,) = starters.load_starter(Frequency(kind if kind != "Y" else "Y-DEC")).forecast([Series.make(values)], 5)
        assert not found.quantiles.any()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_smallest_numbers_keep_their_sign(sign: int) -> None:
    """The floor of the scale is larger than they are."""
    values = sign * 1e-40 * (2 + np.sin(np.arange(60)))

    (found,) = starters.load_starter(Frequency("M")).forecast([Series.make(values)], 5)

    assert (sign * found.quantiles).min() > 0
    assert np.abs(found.quantiles).max() <= 3e-40


def test_levels_far_outside_the_trained_quantiles_have_a_warning() -> None:
    """95 % is calibrated, 99.9 % is extrapolated."""
    forecaster = starters.load_starter(Frequency("M"))
    series = Series.make(np.arange(40.0), start="2020-01", frequency="M")

    codes = [
        [one.code for one in forecaster.forecast([series], 3, levels=(level,))[0].warnings] for level in (95, 99.9)
    ]

    assert codes == [[], ["LEVEL_EXTRAPOLATED"]]


def test_a_quantile_near_1_is_named_with_all_its_digits() -> None:
    """It is refused or extrapolated as what was given, not as 1."""
    forecaster = starters.load_starter(Frequency("M"))
    series = Series.make(np.arange(40.0), start="2020-01", frequency="M")

    (found,) = forecaster.forecast([series], 3, levels=(80,), quantiles=(0.9999999999999999,))[0].warnings

    assert found.detail.startswith("quantile 0.9999999999999999: far outside")
