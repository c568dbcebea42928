"""Styles: how timestamps have to be written so that two steps of a frequency differ."""

from functools import lru_cache

from models.calendar.timestamps import refine_style

COARSEST = {
    "Y": "YYYY",
    "Q": "YYYY-Qq",
    "M": "YYYY-MM",
    **dict.fromkeys(("h", "min", "bh"), "YYYY-MM-DDThh:mm"),
    "s": "YYYY-MM-DDThh:mm:ss",
    "ms": "YYYY-MM-DDThh:mm:ss.fff",
    **dict.fromkeys(("us", "ns"), "YYYY-MM-DDThh:mm:ss.ffffff"),
}
"""The coarsest style that writes two steps of a unit differently; of others it is the day."""


@lru_cache(maxsize=256)
def style_for(style: str, unit: str) -> str:
    """Return a style that writes two steps of a unit differently: the given one if it does."""
    return refine_style(style, COARSEST.get(unit, "YYYY-MM-DD"))
