"""Starters for tests: a folder of small artifacts, one a season, that stands for the shipped one."""

from collections.abc import Sequence
from pathlib import Path

from models import starters
from tests.artifacts import make_artifact

KINDS = {"Y": (1, 4), "Q": (4, 8), "M": (12, 24), "W": (52, 26), "D": (7, 28), "h": (24, 48)}
"""Season length and horizon of each."""


def make_starters(directory: Path, only: Sequence[str] = tuple(KINDS)) -> Path:
    """Fill a directory with starters that repeat the last season, and return it."""
    for kind in only:
        season, horizon = KINDS[kind]
        make_artifact(
            directory / kind,
            name=starters.NAME,
            frequency="Y-DEC" if kind == "Y" else {"Q": "Q-DEC", "W": "W-SUN"}.get(kind, kind),
            season_length=season,
            context_length=max(2 * season, 36),
            horizon=horizon,
        )
    return directory
