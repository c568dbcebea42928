"""Checks: what no setting may be: unknown, of the wrong type, out of range."""

import difflib
import math
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, get_args, get_origin, get_type_hints

from models.errors import ConfigInvalid

AT_LEAST = {"clip_norm": 0, "weight_decay": 0, "tuned_share": 0, "synthetic_share": 0}
"""The least value of settings that may be less than 1."""

ABOVE_ZERO = ("learning_rate", "max_seconds")
"""Settings that may be as near 0 as one likes, but not 0."""


def check_keys(settings: Iterable[str], kind: Any, prefix: str) -> None:  # noqa: ANN401 - any dataclass
    """Refuse a setting that a dataclass has no field for, with the name that comes nearest; raises ConfigInvalid."""
    known = [item.name for item in fields(kind)]
    for key in settings:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {prefix}{near[0]}?" if near else f"Known: {', '.join(known)}."
            raise ConfigInvalid(f"Unknown setting {prefix}{key}.", hint=hint)


def check_types(config: Any, prefix: str) -> None:  # noqa: ANN401 - any dataclass
    """Refuse values that are not of their fields' types; raises ConfigInvalid."""
    for name, kind in get_type_hints(type(config)).items():
        value = getattr(config, name)
        if not is_a(value, kind):
            shown = getattr(kind, "__name__", None) if get_origin(kind) is None else str(kind)
            raise ConfigInvalid(f"{prefix}{name} must be {shown}. Received: {value!r}.")


def is_a(value: object, kind: Any) -> bool:  # noqa: ANN401 - a type or an alias of typing
    """Return whether a value is of a type or an alias of typing; a whole number is a float too, a bool is no number."""
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(is_a(item, get_args(kind)[0]) for item in value)
    if get_args(kind):
        return any(is_a(value, option) for option in get_args(kind))
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not among the choices, with the one that comes nearest; raises ConfigInvalid."""
    if value not in choices:
        near = difflib.get_close_matches(value, choices, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(choices)}."
        raise ConfigInvalid(f"{name} {value!r} is unknown.", hint=hint)


def check_range(name: str, value: object) -> None:
    """Refuse a number of `[fit]` that is out of its range; raises ConfigInvalid."""
    numbers = value if isinstance(value, tuple) else (value,)
    if not numbers:
        raise ConfigInvalid(f"fit.{name} must not be empty.")
    for number in numbers:
        if isinstance(number, int | float) and not isinstance(number, bool):
            if not math.isfinite(number):
                raise ConfigInvalid(f"fit.{name} must be finite. Received: {number}.")
            if name in ABOVE_ZERO and not number > 0:
                raise ConfigInvalid(f"fit.{name} must be above 0. Received: {number}.")
            if name not in ABOVE_ZERO and not number >= AT_LEAST.get(name, 1):
                raise ConfigInvalid(f"fit.{name} must be at least {AT_LEAST.get(name, 1)}. Received: {number}.")


def check_names(what: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Refuse an empty list of names, unknown ones, and one that stands twice; raises ConfigInvalid."""
    if not names:
        raise ConfigInvalid(f"No {what} given.", hint=f"Known: {', '.join(known)}.")
    for name in names:
        check_choice(what, name, known)
    if len(set(names)) < len(names):
        raise ConfigInvalid(f"{what} {max(names, key=names.count)} stands twice. Received: {', '.join(names)}.")
