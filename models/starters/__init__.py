"""Starters: the pretrained models of the package, trained on synthetic series, one folder for each season.

    models/starters/M/    network.onnx, network.keras, spec.json, golden.json, README.md
    models/starters/D/    …

A folder has the name of the frequency that it was trained for, without anchor. Starters that `almanac pretrain` wrote into
ALMANAC_HOME/starters replace the package's own of the same frequency.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from models import artifact
from models.calendar.frequency import NANOSECONDS_IN
from models.calendar.zoned_grid import Frequency, parse_frequency
from models.errors import ArtifactIncomplete, Finding
from models.forecaster import Forecaster
from models.forecasting.blended import BlendedForecaster
from models.forecasting.season_blend import Blend
from models.jobs.database import almanac_home
from models.names import STARTER
from models.starters.interleaved import HOUR, InterleavedForecaster, parts_of_hour
from models.starters.stretched import StretchedForecaster, has_season, single_step

NAME = STARTER
"""Model name of every starter."""

DEFAULT = "M"
"""Frequency assumed for a series without dates."""

SEASONLESS = "Y"
"""The starter of every frequency without a starter of the same season."""

BLENDS = {
    "W": Blend(0.5, 0.2, 0.8, unknown=0.5, lines=True),
    "M": Blend(0.7, 1.2, 1.8, lines=True),
    "D": Blend(0.0, 0.0, 1.0, lines=True),
}
"""By starter, chosen on the development sets of docs/starter.md, with whole histories and with the newest one to three seasons
of them. The others lose on them with any weight."""

FOLDER = Path(__file__).parent

LOCAL_FOLDER = "starters"
"""Folder in ALMANAC_HOME with locally pretrained starters."""

VERSION_LENGTH = 12

HOUR_NANOSECONDS = NANOSECONDS_IN["h"]

logger = logging.getLogger("almanac")


def starter_folders() -> Mapping[str, Path]:
    """Return the folder of each starter by the frequency that it was trained for; raises ArtifactIncomplete."""
    return _kinds(_roots())


def folder_for(frequency: Frequency) -> Path:
    """Return the folder of the starter for a frequency.

    It is the one with the same seasons, else one with the same first season, else the one without a season.

    Raises:
        ArtifactIncomplete: If there is no starter.
    """
    known = _seasons(_roots())
    alike = [kind for kind, seasons in known.items() if seasons == frequency.seasons]
    alike += [kind for kind, seasons in known.items() if seasons[0] == frequency.season_length]
    return starter_folders()[(alike or [_seasonless()])[0]]


def season_warning(frequency: Frequency) -> Finding | None:
    """Return a warning if the frequency has a season and its starter has none, else None; raises ArtifactIncomplete."""
    return _season_warning(frequency, os.environ.get("ALMANAC_HOME"), os.getcwd())  # noqa: PTH109 - once a request, and a Path is slow


@lru_cache(maxsize=512)
def _season_warning(frequency: Frequency, *_place: str | None) -> Finding | None:
    nanoseconds = frequency.nanoseconds
    has_seasons = has_season(frequency) or (nanoseconds is not None and nanoseconds < HOUR_NANOSECONDS)
    if not has_seasons or folder_for(frequency).name != SEASONLESS or _takes_turns(frequency) or _stretched(frequency):
        return None
    return Finding(
        "SEASON_UNKNOWN",
        f"There is no starter for the seasons of {frequency.name}: the forecast has no season.",
        "/frequency",
        "Train a model on such series, or resample them to a longer step.",
    )


def load_starter(frequency: Frequency) -> Forecaster:
    """Return the starter for a frequency, with this frequency in its spec: the weekly one takes W-WED and W-SUN.

    Parts of an hour without a starter of their own are forecast by the hourly one, as `InterleavedForecaster` does, and
    multiples such as 4h and 2M by the one of their unit, as `StretchedForecaster` does. Those in `BLENDS` are blended with
    the one without a season, as `BlendedForecaster` does it.

    Loaded starters stay in memory.

    Raises:
        ArtifactIncomplete: If a file is missing or cannot be read.
        ArtifactMismatch: If a golden forecast is not reproduced.
    """
    single = _stretched(frequency)
    if single is not None:
        return _stretch(folder_for(single), single.name, frequency)
    folder = folder_for(frequency)
    return _interleaved(folder, frequency) if _takes_turns(frequency) else _blended(folder, frequency.name)


def blended_with(folder: Path) -> tuple[Path, Blend] | None:
    """Return the folder of the starter that the one in a folder is blended with, and how; None if it forecasts alone."""
    blend, seasonless = BLENDS.get(folder.name), starter_folders().get(SEASONLESS)
    return None if blend is None or seasonless is None else (seasonless, blend)


def _takes_turns(frequency: Frequency) -> bool:
    """Return whether series of a frequency are forecast as hourly series that take turns."""
    if not parts_of_hour(frequency):
        return False
    return HOUR.name in starter_folders() and folder_for(frequency).name == SEASONLESS


def _stretched(frequency: Frequency) -> Frequency | None:
    """Return the unit of a multiple that has no starter with its seasons, while the unit has one; else None."""
    single = single_step(frequency)
    if single is None or frequency.seasons in _seasons(_roots()).values():
        return None
    return single if single.seasons in _seasons(_roots()).values() else None


def version() -> str:
    """Return the version of all starters together: the first digits of a SHA-256 over their files and how they are blended.

    Raises:
        ArtifactIncomplete: If there is no starter.
    """
    return _version(_roots())


@contextmanager
def used(folder: Path) -> Iterator[None]:
    """Use the starters of a folder in place of those of ALMANAC_HOME, in the whole process.

    Raises:
        ArtifactIncomplete: If there is no starter in it.
    """
    if not any(folder.glob(f"*/{artifact.SPEC}")):
        raise ArtifactIncomplete(
            f"There is no starter in {folder}: no folder in it has a {artifact.SPEC}.",
            hint="Give the folder that `almanac pretrain --output` has written.",
        )
    _chosen.append(folder.absolute())
    clear_cache()
    try:
        yield
    finally:
        _chosen.pop()
        clear_cache()


_chosen: list[Path] = []
"""Folders that `used` has set; the last one counts."""


def _roots() -> tuple[Path, ...]:
    """Return the folders with starters; later ones replace earlier ones."""
    return (FOLDER, _chosen[-1] if _chosen else almanac_home(os.environ) / LOCAL_FOLDER)


def clear_cache() -> None:
    """Forget found and loaded starters, so that the process uses those that it has written."""
    for cached in (_kinds, _seasons, _season_warning, _interleaved, _stretch, _blended, _named, _load, _version):
        cached.cache_clear()


@lru_cache(maxsize=8)
def _kinds(roots: tuple[Path, ...]) -> Mapping[str, Path]:
    for folder in sorted(roots[-1].glob("[!.]*/")):
        if not (folder / artifact.SPEC).is_file():
            logger.warning("%s is ignored: it has no %s. Pretrain it again, or delete it.", folder, artifact.SPEC)
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


@lru_cache(maxsize=64)
def _interleaved(folder: Path, frequency: Frequency) -> Forecaster:
    hourly = _named(starter_folders()[HOUR.name], HOUR.name)
    return InterleavedForecaster(hourly, _named(folder, frequency.name), frequency)


@lru_cache(maxsize=64)
def _stretch(folder: Path, single: str, frequency: Frequency) -> Forecaster:
    return StretchedForecaster(_named(folder, single), frequency)


@lru_cache(maxsize=64)
def _blended(folder: Path, frequency: str) -> Forecaster:
    seasonal, blended = _named(folder, frequency), blended_with(folder)
    if blended is None:
        return seasonal
    seasonless, blend = blended
    return BlendedForecaster(seasonal, _named(seasonless, frequency), blend)


@lru_cache(maxsize=512)
def _named(folder: Path, frequency: str) -> Forecaster:
    return _load(folder).for_frequency(frequency)


@lru_cache(maxsize=32)
def _load(folder: Path) -> Forecaster:
    return artifact.load(folder)


@lru_cache(maxsize=8)
def _version(roots: tuple[Path, ...]) -> str:
    total = hashlib.sha256(repr(BLENDS).encode())
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
