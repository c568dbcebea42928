"""Starters: the models that come with the package, trained on synthetic series alone, one folder for each season.

    models/starters/M/    network.onnx, network.keras, spec.json, golden.json, README.md
    models/starters/D/    …

A folder is called by the frequency that it was trained for, without anchor; whatever folders there are, are offered. What
`almanac pretrain` left in ALMANAC_HOME/starters goes before the package's own of the same frequency.
"""

import hashlib
import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from models import artifact
from models.calendar.frequency import NANOSECONDS_IN
from models.calendar.on_calendar import Frequency, parse_frequency
from models.errors import ArtifactIncomplete, Finding
from models.forecaster import Forecaster
from models.names import STARTER

NAME = STARTER
"""What whichever starter answers is called."""

DEFAULT = "M"
"""The frequency that is assumed of a series without dates."""

SEASONLESS = "Y"
"""The starter of every frequency whose season no other one knows."""

FOLDER = Path(__file__).parent

LOCAL_FOLDER = "starters"
"""Folder in ALMANAC_HOME with the starters that were made here."""

VERSION_LENGTH = 12

HOUR_NANOSECONDS = NANOSECONDS_IN["h"]

logger = logging.getLogger("almanac")


def starter_folders() -> Mapping[str, Path]:
    """Return the starters that there are: the frequency that each was trained for, and its folder.

    Raises:
        ArtifactIncomplete: If there is none.
    """
    return _kinds(_roots())


def folder_for(frequency: Frequency) -> Path:
    """Return the folder of the starter that knows the seasons of a frequency.

    That is one with the same seasons, else one with the same first season, else the one that knows no season.

    Raises:
        ArtifactIncomplete: If there is none.
    """
    known = _seasons(_roots())
    alike = [kind for kind, seasons in known.items() if seasons == frequency.seasons]
    alike += [kind for kind, seasons in known.items() if seasons[0] == frequency.season_length]
    return starter_folders()[(alike or [_seasonless()])[0]]


def season_warning(frequency: Frequency) -> Finding | None:
    """Return a warning where the starter for a frequency knows no season, though the frequency has one; else None.

    Raises:
        ArtifactIncomplete: If there is no starter.
    """
    nanoseconds = frequency.nanoseconds
    has_seasons = frequency.season_length > 1 or (nanoseconds is not None and nanoseconds < HOUR_NANOSECONDS)
    if not has_seasons or folder_for(frequency).name != SEASONLESS:
        return None
    return Finding(
        "SEASON_UNKNOWN",
        f"No starter knows the seasons of {frequency.name}: the forecast has none.",
        "/frequency",
        "Train a model on such series, or send them at a coarser frequency.",
    )


def load_starter(frequency: Frequency) -> Forecaster:
    """Return the starter for a frequency: its spec says this frequency, so that it takes W-WED as it takes W-SUN.

    What was loaded once stays in memory.

    Raises:
        ArtifactIncomplete: If a file is missing or cannot be read.
        ArtifactMismatch: If a golden forecast is not reproduced.
    """
    return _named(folder_for(frequency), frequency.name)


def version() -> str:
    """Return the version of all starters together: the beginning of the SHA-256 over their files, hexadecimal.

    Raises:
        ArtifactIncomplete: If there is none.
    """
    return _version(_roots())


def _roots() -> tuple[Path, ...]:
    """Return where starters lie, those of the home last, since they go before the others."""
    home = Path(os.environ.get("ALMANAC_HOME") or "almanac-data").expanduser().absolute()
    return (FOLDER, home / LOCAL_FOLDER)


def clear_cache() -> None:
    """Forget what was found and loaded: a process that has made starters is answered by them from then on."""
    for remembered in (_kinds, _seasons, _named, _load, _version):
        remembered.cache_clear()


@lru_cache(maxsize=8)
def _kinds(roots: tuple[Path, ...]) -> Mapping[str, Path]:
    for folder in sorted(roots[-1].glob("[!.]*/")):
        if not (folder / artifact.SPEC).is_file():
            logger.warning("%s is passed over: it has no %s. Make it again, or delete it.", folder, artifact.SPEC)
    found = {path.parent.name: path.parent for root in roots for path in sorted(root.glob(f"*/{artifact.SPEC}"))}
    if not found:
        raise ArtifactIncomplete(
            f"There is no starter in {roots[0]}: the installation is incomplete.",
            hint="Install almanac-forecast again; its wheel brings the starters.",
        )
    return found


@lru_cache(maxsize=8)
def _seasons(roots: tuple[Path, ...]) -> Mapping[str, tuple[int, ...]]:
    return {kind: parse_frequency(kind).seasons for kind in _kinds(roots)}


def _seasonless() -> str:
    if SEASONLESS not in starter_folders():
        raise ArtifactIncomplete(
            f"There is no starter {SEASONLESS} in {FOLDER}, only {', '.join(starter_folders())}: the installation is incomplete.",
            hint="Install almanac-forecast again; its wheel brings the starters.",
        )
    return SEASONLESS


@lru_cache(maxsize=512)
def _named(folder: Path, frequency: str) -> Forecaster:
    return _load(folder).for_frequency(frequency)


@lru_cache(maxsize=32)
def _load(folder: Path) -> Forecaster:
    return artifact.load(folder)


@lru_cache(maxsize=8)
def _version(roots: tuple[Path, ...]) -> str:
    total = hashlib.sha256()
    for kind, folder in _kinds(roots).items():
        for name in (artifact.NETWORK, artifact.SPEC, artifact.GOLDEN):
            total.update(f"{kind}/{name}\0{_digest(folder / name)}\n".encode())
    return total.hexdigest()[:VERSION_LENGTH]


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ArtifactIncomplete(
            f"{path} cannot be read: {error.strerror}.", hint="Install almanac-forecast again."
        ) from error
