"""Settings: tables as a TOML file and `--set` give them, laid over each other, before they are typed."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import ConfigInvalid

SERVICE = "service"
"""What `data` is where the observations that a service holds are meant, rather than a file."""


def read_config(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; a relative `data` is relative to the file itself.

    Raises:
        ConfigInvalid: If the file is missing or is not TOML.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigInvalid(f"{path}: cannot be read ({error.strerror}).", hint="Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(
            f"{path} is not valid TOML: {error}.", hint="See training/configs for an example."
        ) from error
    if isinstance(settings.get("data"), str) and settings["data"] != SERVICE:
        if "://" in settings["data"]:
            raise ConfigInvalid(
                f"{path}: data is an address: {settings['data']!r}.",
                hint='Name a file, or "service" for what the service at ALMANAC_SERVICE_URL has observed.',
            )
        settings["data"] = os.path.normpath(path.parent / settings["data"])
    return settings


def parse_override(text: str) -> dict[str, Any]:
    """Return `{"fit": {"units": 32}}` for `fit.units=32`: the value is TOML, or plain text where it is none.

    Raises:
        ConfigInvalid: If there is no `=` or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigInvalid(f"An override is key=value, such as fit.units=32. Received: {text!r}.")
    setting: Any
    try:
        setting = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        setting = value.strip()
    for part in reversed(key.strip().split(".")):
        setting = {part: setting}
    return dict(setting)


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layers laid over each other, table by table; the last one wins, None gives way."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping):
                merged[key] = merge(merged.get(key, {}), value)
            elif value is not None:
                merged[key] = value
    return merged
