import tomllib
from collections.abc import Sequence
from typing import Any

import pytest

from models.errors import ConfigInvalid
from training.config.toml import merge
from training.config.training import train_config
from training.tuning import search_space
from training.tuning.search_space import Categorical, Range, read_space

SETTINGS = {"data": "d.csv", "horizon": 12}


class Highest:
    """A trial that takes the last choice and the upper end."""

    def suggest_categorical(self, _name: str, choices: Sequence[Any]) -> Any:  # noqa: ANN401 - any choice
        """Return the last choice."""
        return choices[-1]

    def suggest_int(self, _name: str, _low: int, high: int, *, log: bool = False) -> int:  # noqa: ARG002 - the contract
        """Return the upper end."""
        return high

    def suggest_float(self, _name: str, _low: float, high: float, *, log: bool = False) -> float:  # noqa: ARG002 - same
        """Return the upper end."""
        return high


def test_lists_are_choices_and_tables_with_ends_are_ranges() -> None:
    """A space is TOML: nested tables give dotted keys."""
    tables = {
        "architecture": ["lstm"],
        "fit": {"units": [8, 16], "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
    }

    found = read_space(tables, SETTINGS)

    assert found == {
        "architecture": Categorical(("lstm",)),
        "fit.units": Categorical((8, 16)),
        "fit.learning_rate": Range(1e-4, 1e-2, log=True),
    }
    assert str(found["fit.units"]) == "one of 8, 16"
    assert str(found["fit.learning_rate"]) == "0.0001 to 0.01, by orders of magnitude"


def test_the_space_that_ships_is_sound() -> None:
    """Every end of it would be trained."""
    assert "fit.learning_rate" in read_space(search_space.default_space(), SETTINGS)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"fit": {"unit": [8]}}, r"fit\.unit cannot be searched\. Did you mean fit\.units"),
        ({"horizon": [6, 12]}, "horizon cannot be searched. Known: architecture"),
        ({"fit": {"units": 8}}, "must be a list or a range. Received: 8"),
        ({"fit": {"units": []}}, "must be a list or a range"),
        ({"fit": {"units": {"low": 8}}}, "must be a list or a range"),
        ({"fit": {"units": {"low": 8, "high": 4}}}, "low must be below high"),
        ({"fit": {"learning_rate": {"low": 0.0, "high": 1.0, "log": True}}}, "above 0 if log"),
        ({"fit": {"learning_rate": {"low": "a", "high": 1.0}}}, "Received: low 'a'"),
        ({"fit": {"layers": {"low": 0, "high": 3}}}, "fit.layers must be at least 1. Received: 0"),
        ({"architecture": ["lstn"]}, "Did you mean lstm"),
        ({"architecture": ["lstm", "auto"]}, "'auto' is unknown. Known: lstm, gru"),
        ({}, "The space is empty"),
    ],
)
def test_a_space_that_no_training_could_use_is_refused(tables: dict[str, Any], words: str) -> None:
    """Before anything is trained, with the value and the remedy."""
    with pytest.raises(ConfigInvalid, match=words):
        read_space(tables, SETTINGS)


def test_a_draw_is_a_configuration() -> None:
    """What a trial draws, lists among it, is a training's settings."""
    tables = {
        "architecture": ["lstm", "wavenet"],
        "fit": {
            "layers": {"low": 1, "high": 3},
            "weight_decay": {"low": 0.0, "high": 0.5},
            "dilations": [[1, 2], [1, 2, 4]],
        },
    }

    drawn = search_space.draw(read_space(tables, SETTINGS), Highest())
    config = train_config(merge(SETTINGS, search_space.nested(drawn)))

    assert drawn == {"architecture": "wavenet", "fit.layers": 3, "fit.weight_decay": 0.5, "fit.dilations": (1, 2, 4)}
    assert config.architecture == ("wavenet",)
    assert (config.fit.layers, config.fit.weight_decay, config.fit.dilations) == (3, 0.5, (1, 2, 4))


def test_settings_outside_the_space_are_no_first_trial() -> None:
    """The defaults are tried first as far as they lie in the space."""
    found = read_space({"fit": {"units": [8, 16], "layers": {"low": 1, "high": 3}, "dilations": [[1, 2]]}}, SETTINGS)

    assert search_space.as_params(found, {"fit.units": 64, "fit.layers": 2, "fit.dilations": (1, 2)}) == {
        "fit.layers": 2,
        "fit.dilations": "[1, 2]",
    }


def test_a_configuration_survives_being_written() -> None:
    """Text, numbers, lists and tables are read back as they were."""
    settings = {
        "data": 'C:\\a "b".csv',
        "horizon": 12,
        "refit": False,
        "architecture": ["lstm"],
        "columns": {},
        "fit": {"learning_rate": 1e-05, "dilations": (1, 2), "transform": "none"},
    }

    text = search_space.to_toml(settings, comment="one\ntwo")

    assert text.startswith("# one\n# two\n")
    assert tomllib.loads(text) == {
        "data": 'C:\\a "b".csv', "horizon": 12, "refit": False, "architecture": ["lstm"],
        "fit": {"learning_rate": 1e-05, "dilations": [1, 2], "transform": "none"},
    }  # fmt: skip
