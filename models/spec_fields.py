"""Spec fields: what the fields of spec.json that a forecast needs may be; a wrong one is refused by its name."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import isfinite
from typing import Any, NamedTuple

from models.errors import ArtifactIncomplete

LARGEST = 2**31 - 1
"""Networks take positions in a season as 32-bit integers."""

SHOWN_LENGTH = 60


class Rule(NamedTuple):
    """What a field may be: the check, and the words for it."""

    is_valid: Callable[[Any], bool]
    words: str


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_length(value: object) -> bool:
    return type(value) is int and 1 <= value <= LARGEST


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and isfinite(value)  # type: ignore[arg-type]


def _are_levels(values: object) -> bool:
    if not isinstance(values, tuple) or not all(_is_number(one) and 0 < one < 1 for one in values):
        return False
    return 0.5 in values and all(low < high for low, high in pairwise(values))  # noqa: PLR2004 - the median


TEXT = Rule(_is_text, "text")
LENGTH = Rule(_is_length, f"a whole number from 1 to {LARGEST}")
TEXT_OR_NULL = Rule(lambda value: value is None or _is_text(value), "text or null")
NAMES = Rule(lambda value: isinstance(value, tuple) and all(map(_is_text, value)), "a list of names")
NUMBERS = Rule(lambda value: isinstance(value, tuple) and all(map(_is_number, value)), "a list of numbers")
TABLE = Rule(lambda value: isinstance(value, Mapping), "a table")

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("name", "architecture", "shape", "frequency", "transform"), TEXT),
    **dict.fromkeys(("season_length", "context_length", "encoder_length", "horizon"), LENGTH),
    "quantile_levels": Rule(_are_levels, "a list of rising numbers between 0 and 1, 0.5 among them"),
    **dict.fromkeys(("past_covariates", "future_covariates", "holidays"), NAMES),
    "memory": NUMBERS,
    **dict.fromkeys(("trained_from", "trained_to"), TEXT_OR_NULL),
    **dict.fromkeys(("backtest", "validation", "conformal", "profile"), TABLE),
}


def check_fields(fields: Mapping[str, Any]) -> None:
    """Raise ArtifactIncomplete, which names the field, if one of `RULES` is not what it may be, or lengths contradict each other.

    Args:
        fields: Fields of a `ModelSpec` by name, lists as tuples; those without a rule are not looked at, and none is required.
    """
    for name, value in fields.items():
        if name in RULES and not RULES[name].is_valid(value):
            raise _invalid(name, RULES[name].words, value)
    encoder, context = fields.get("encoder_length", 1), fields.get("context_length", LARGEST)
    if encoder > context:
        raise _invalid("encoder_length", f"at most context_length, which is {context}", encoder)


def _invalid(name: str, words: str, value: object) -> ArtifactIncomplete:
    shown = repr(value)
    shown = shown if len(shown) <= SHOWN_LENGTH else f"{shown[:SHOWN_LENGTH]}…"
    return ArtifactIncomplete(
        f"The field {name} of spec.json must be {words}. Received: {shown}.", hint="Train the model again."
    )
