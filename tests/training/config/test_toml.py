from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from training.config.toml import merge, parse_override, read_config


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("fit.units=32", {"fit": {"units": 32}}),
        ("fit.dilations=[1, 2]", {"fit": {"dilations": [1, 2]}}),
        ("fit.transform=log", {"fit": {"transform": "log"}}),
        ("refit=false", {"refit": False}),
    ],
)
def test_an_override_is_toml_or_plain_text(text: str, setting: dict[str, object]) -> None:
    """Key and value come as on a line of the file; bare words need no quotes."""
    assert parse_override(text) == setting


@pytest.mark.parametrize("text", ["fit.units", "=3"])
def test_an_override_without_key_or_value_is_refused(text: str) -> None:
    """The error of an incomplete override shows a complete one."""
    with pytest.raises(ConfigInvalid, match="key=value"):
        parse_override(text)


def test_later_layers_win_and_none_gives_way() -> None:
    """Flags go before the file, and a flag that was not given changes nothing."""
    merged = merge({"horizon": 12, "fit": {"units": 64, "layers": 2}}, {"horizon": None, "fit": {"units": 8}})

    assert merged == {"horizon": 12, "fit": {"units": 8, "layers": 2}}


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    """A configuration that cannot be read is refused by its path."""
    broken = tmp_path / "broken.toml"
    broken.write_text("data = ")

    for path in (tmp_path / "missing.toml", broken):
        with pytest.raises(ConfigInvalid, match=path.name):
            read_config(path)
