"""Files: whether the home can be written and is its own, who can write the keys, and how much disk is left."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from almanac.doctor.check import Check
from models.audit import log
from service.api.key_file import read_keys
from service.settings import Settings
from service.store.database import LOW_BYTES
from training.registry.home import check_home
from training.registry.location import RegistryLocation

FEW_BYTES = 1_000_000_000
"""Space that a training needs for its runs and figures, and a service for a week or so."""


def check_home_folder(settings: Settings) -> Iterator[Check]:
    """Yield whether ALMANAC_HOME exists, can be written, and belongs to this place; raises HomeMoved."""
    home, place = settings.home, existing(settings.home)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        remedy = f"Give this user (id {os.geteuid()}) access, or set ALMANAC_HOME to another folder."
        yield Check("home", "error", f"{place} cannot be written.", remedy)
        return
    if not home.exists():
        yield Check("home", "warning", f"{home} does not exist yet.", "almanac train and almanac serve create it.")
        return
    check_home(RegistryLocation(home, settings.tracking_uri))
    yield Check("home", "ok", f"{home} can be written.")


def check_keys(settings: Settings) -> Iterator[Check]:
    """Yield the number of keys; raises KeysInvalid if the file is damaged or others can write it."""
    keys, now = read_keys(settings.api_keys), datetime.now(UTC)
    if not keys:
        yield Check("keys", "ok", "No API keys: the service can be used from this machine only.")
        return
    expired = [one.name for one in keys if one.is_expired(now)]
    detail = f"{len(keys)} in {settings.api_keys}"
    if expired:
        yield Check(
            "keys", "warning", f"{detail}; expired: {', '.join(expired)}.", "almanac key remove or rotate NAME."
        )
    else:
        yield Check("keys", "ok", f"{detail}.")


def check_audit(settings: Settings) -> Iterator[Check]:
    """Yield whether a line of the audit log was changed, removed or cut off."""
    if all(one.is_intact for one in log.read(settings.home)) and log.is_whole(settings.home):
        return
    yield Check(
        "audit log",
        "warning",
        f"A line of {settings.home / log.FILE} was changed, removed or cut off.",
        "`almanac audit` shows where; compare it with a backup, and with the hashes in the service's log.",
    )


def check_disk(settings: Settings) -> Iterator[Check]:
    """Yield how much space is left where the home is."""
    place = existing(settings.home)
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:,.1f} GB are free at {place}."
    remedy = f"Free space there; {settings.cache} can be removed at any time."
    if free < FEW_BYTES:
        yield Check("disk", "error" if free < LOW_BYTES else "warning", detail, remedy)
    else:
        yield Check("disk", "ok", detail)


def existing(path: Path) -> Path:
    """Return a path, or the nearest folder above it that exists."""
    return next(one for one in (path, *path.parents) if one.exists())
