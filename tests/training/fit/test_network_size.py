from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from models.calendar.zoned_grid import parse_frequency
from models.errors import ConfigInvalid
from models.irregular import history as limits
from models.series import Series
from training.config.fit import FitConfig
from training.fit import network_size
from training.fit.candidate import TrainingSet


def training_set(*lengths: int, frequency: str = "M") -> TrainingSet:
    """Return a training set of series of these lengths."""
    series = [Series.make(1.0 + np.arange(length), frequency=frequency) for length in lengths]
    return TrainingSet(series, frequency, 6, "")


def config(**changes: Any) -> FitConfig:  # noqa: ANN401 - any field of FitConfig
    """Return a configuration that leaves the rest open."""
    return replace(FitConfig(), **changes)


@pytest.mark.parametrize("shape", ["one_to_one", "one_to_many"])
def test_shapes_of_one_value_read_one(shape: str) -> None:
    """However long the series are."""
    assert network_size.context_length(training_set(500), config(shape=shape)) == 1
    assert network_size.encoder_length(training_set(500), config(shape=shape)) == 1


def test_a_context_reaches_as_far_as_the_series_but_not_for_ever() -> None:
    """Long months stop at a climate normal, short ones where they begin."""
    assert network_size.context_length(training_set(2000), config()) == 12 * limits.SEASONS_KEPT
    assert network_size.context_length(training_set(70), config()) == 70
    assert network_size.context_length(training_set(50_000, frequency="h"), config()) <= limits.LONGEST_CONTEXT


@pytest.mark.parametrize("frequency", ["Y-DEC", "Q-DEC", "M", "W-SUN", "D", "B", "h", "15min"])
@pytest.mark.parametrize("length", [2, 30, 3000])
def test_lengths_fit_each_other(frequency: str, length: int) -> None:
    """The context holds more than a season, the encoder no more than the context, at every frequency and length."""
    data = training_set(length, frequency=frequency)
    season = parse_frequency(frequency).season_length

    context, encoder = network_size.context_length(data, config()), network_size.encoder_length(data, config())

    assert context > season
    assert season < encoder <= context


def test_one_long_series_does_not_stretch_the_context_of_all() -> None:
    """Padding is work: the context reaches where nine in ten of the series do."""
    assert network_size.context_length(training_set(*[60] * 20, 300), config()) < 100


def test_what_is_asked_for_is_done() -> None:
    """A configuration's lengths are its own."""
    asked = config(context_length=48, encoder_length=24)

    assert network_size.context_length(training_set(500), asked) == 48
    assert network_size.encoder_length(training_set(500), asked) == 24


@pytest.mark.parametrize("length", [60, 100, 2000])
def test_supervision_at_every_step_leaves_half_the_context_before_it(length: int) -> None:
    """That half alone scales a window of this shape."""
    asked = config(shape="many_to_many_equal")

    context, encoder = (
        find(training_set(length), asked) for find in (network_size.context_length, network_size.encoder_length)
    )

    assert encoder <= context / 2


def test_an_encoder_longer_than_its_context_is_refused() -> None:
    """Both numbers stand in the error."""
    with pytest.raises(ConfigInvalid, match=r"36.*24"):
        network_size.encoder_length(training_set(500), config(context_length=24, encoder_length=36))


def test_further_seasons_are_seen_where_the_context_holds_them_twice() -> None:
    """Hours have days, and weeks when there are weeks; months have years alone."""
    assert network_size.seasons(training_set(900, frequency="h"), 900) == (24, 168)
    assert network_size.seasons(training_set(200, frequency="h"), 200) == (24,)
    assert network_size.seasons(training_set(500), 360) == (12,)


@pytest.mark.parametrize("season", [12, 168, 365, 1440])
def test_dilations_double_on_until_they_see_a_season(season: int) -> None:
    """The usual ones where they are enough."""
    found = network_size.dilations(config(), season)

    assert 1 + sum(found) >= season
    assert found[:7] == FitConfig().dilations
    assert all(later == 2 * earlier for earlier, later in pairwise(found))
    assert 1 + sum(found[:-1]) < season or found == FitConfig().dilations


def test_dilations_that_were_asked_for_stay() -> None:
    """Too few are for the build to refuse, not for anybody to change."""
    assert network_size.dilations(config(dilations=(1, 2)), 365) == (1, 2)


@pytest.mark.parametrize(
    ("values", "worth"),
    [([1.0, 5.0], True), ([1.0, 1.5], False), ([0.0, 5.0], False), ([-1.0, 5.0], False), ([1.0, None, 5.0], True)],
)
def test_a_logarithm_is_worth_trying_where_values_are_positive_and_far_apart(
    values: list[float | None],
    worth: bool,  # noqa: FBT001 - what is expected
) -> None:
    """A factor of two within some series; one frost or zero anywhere and it is not."""
    assert network_size.could_be_logged([Series.make(values)]) is worth
    assert not network_size.could_be_logged([Series.make(values), Series.make([-1.0, 2.0])])
