"""Every number of a configuration has bounds, for files, the command line and REST alike."""

from dataclasses import fields
from typing import Any, get_type_hints

import pytest

from models.errors import AlmanacError, ConfigInvalid
from models.jobs.setting_bounds import BOUNDS, MOST_SEED, check_bounds
from service.jobs.requests import parse_job
from training.config.fit import FitConfig
from training.config.retrain import RetrainConfig
from training.config.toml import merge, parse_override
from training.config.training import TrainConfig, train_config

NOT_NUMBERS = ("bool", "str", "Literal", "Path", "Columns", "FitConfig", "RetrainConfig")


def nested(key: str, value: object) -> dict[str, Any]:
    """Return a configuration with one setting."""
    return merge({"horizon": 12}, {key: value} if "." not in key else dict([_table(key, value)]))


def _table(key: str, value: object) -> tuple[str, dict[str, object]]:
    table, _, name = key.partition(".")
    return table, {name: value}


@pytest.mark.parametrize(("table", "kind"), [("", TrainConfig), ("fit.", FitConfig), ("retrain.", RetrainConfig)])
def test_every_number_has_bounds(table: str, kind: type) -> None:
    """A setting that is added without bounds fails here."""
    hints = {name: str(hint) for name, hint in get_type_hints(kind).items()}
    numbers = {one.name for one in fields(kind) if not any(word in hints[one.name] for word in NOT_NUMBERS)}

    assert {table + name for name in numbers} <= {*BOUNDS}


@pytest.mark.parametrize("key", [*BOUNDS])
@pytest.mark.parametrize("side", ["below", "above"])
def test_a_number_out_of_range_is_refused_wherever_it_is_given(key: str, side: str) -> None:
    """Named with the value received: in a file, with --set and in a request."""
    bounds = BOUNDS[key]
    value: Any = bounds.least - 1 if side == "below" else bounds.most * 1000
    value = [value] if key == "fit.dilations" else value
    settings = {"data": "sales.csv", **nested(key, value)}

    with pytest.raises(ConfigInvalid, match=f"{key}.* must be") as in_file:
        train_config(settings)
    with pytest.raises(ConfigInvalid, match=f"{key}.* must be"):
        train_config(merge({"data": "sales.csv", "horizon": 12}, parse_override(f"{key}={value}")))
    with pytest.raises(AlmanacError) as in_request:
        parse_job(f'{{"name": "sales", "config": {_json(nested(key, value))}}}'.encode())
    assert "Received" in in_file.value.detail
    assert in_request.value.pointer == "/config/" + key.replace(".", "/")


def _json(settings: dict[str, Any]) -> str:
    return str(settings).replace("'", '"')


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seed": MOST_SEED, "seeds": 2}, "last seed"),
        ({"seed": 2**32}, "seed must be at most 4294967295"),
        ({"fit": {"units": 2048, "layers": 32}}, "weights"),
        ({"fit": {"units": 1024, "dilations": [1] * 32}}, "weights"),
        ({"fit": {"dilations": [1] * 33}}, "a list of 1 to 32"),
        ({"fit": {"batch_size": 65_536, "units": 512}}, "memory"),
        ({"fit": {"batch_size": 4_096, "shape": "many_to_many_equal"}, "horizon": 10_000}, "memory"),
    ],
)
def test_settings_that_are_too_much_together_are_refused(settings: dict[str, Any], words: str) -> None:
    """Each alone is valid."""
    with pytest.raises(ConfigInvalid, match=words):
        check_bounds({"horizon": 12, **settings})
    with pytest.raises(ConfigInvalid, match=words):
        train_config({"data": "sales.csv", "horizon": 12, **settings})


@pytest.mark.parametrize(
    "fit", [{}, {"units": 256, "layers": 4, "batch_size": 1024}, {"shape": "many_to_many_equal", "encoder_length": 128}]
)
def test_large_networks_that_people_train_are_accepted(fit: dict[str, Any]) -> None:
    """The bounds are there for mistakes."""
    check_bounds({"horizon": 336, "seeds": 10, "fit": fit})
