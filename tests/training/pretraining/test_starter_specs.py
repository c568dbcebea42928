"""Every starter can be built, and its context holds what its network reads."""

from models.calendar.zoned_grid import parse_frequency
from models.starters import DEFAULT, SEASONLESS
from training.pretraining.starter_specs import STARTER_SPECS


def test_every_kind_has_a_network_of_its_frequencys_seasons() -> None:
    """Options are checked where they are made, so making them says that lengths fit."""
    for name, kind in STARTER_SPECS.items():
        options = kind.options(8, 1)

        for lag, season in zip(options.seasons, parse_frequency(name).seasons, strict=True):
            assert lag == season or (abs(lag - season) == 1 and lag % options.season_length == 0)
        assert options.context_length >= 2 * max(options.seasons)
        assert not options.calendar


def test_the_kinds_that_others_fall_back_on_are_there() -> None:
    """Bare values get the default, frequencies of unknown season the one without."""
    assert {DEFAULT, SEASONLESS} <= set(STARTER_SPECS)
    assert next(iter(STARTER_SPECS.values())).share == 1.0
