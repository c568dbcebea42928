"""Errors of `import almanac`: those of models/errors.py and service/errors.py, and those of a service that does not answer.

AlmanacError                `code`, `detail`, `hint`, `pointer`, and `ids`: the series that it is about
├── SeriesError             a series cannot be used: SeriesTooShort, TimestampsDuplicated, …
├── FrequencyError          FrequencyUnknown, FrequencyNotInferred, FrequencyMismatch
├── RequestError            HorizonInvalid, LevelInvalid, FieldInvalid, KeyMissing, …
├── RegistryError           ModelUnknown, RegistryUnreachable, …
├── DataInvalid             a frame or file that cannot be read
├── ExtraMissing            what an optional extra installs is not there
├── ServiceUnreachable      no response from the service, or one that is not Almanac's
└── ServiceOverloaded       429 or 503, again and again
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from models.errors import *  # noqa: F403 - all errors are reached through this module
from models.errors import AlmanacError, ServiceUnreachable
from models.jobs.errors import *  # noqa: F403 - same
from service.errors import *  # noqa: F403 - same


class ServiceOverloaded(ServiceUnreachable):
    """The service answers 429 or 503 again and again."""

    code = "SERVICE_OVERLOADED"


class ExtraMissing(AlmanacError):
    """What an optional extra installs is missing."""

    code = "EXTRA_MISSING"


class AlmanacWarning(UserWarning):
    """Some series have no forecast, or some rows are not stored; the others are there."""


def error_of(found: Mapping[str, Any], *, ids: tuple[str, ...] = ()) -> AlmanacError:
    """Return an error from its `code`, `detail`, `pointer` and `hint`; the type is that of its code, if it is known."""
    code = str(found.get("code", ""))
    kind = _kinds().get(code, AlmanacError)
    error = kind.__new__(kind)
    detail = str(found.get("detail") or found.get("title") or "")
    AlmanacError.__init__(error, detail, pointer=str(found.get("pointer", "")), hint=str(found.get("hint", "")))
    if code and kind is AlmanacError:
        error.code = code  # type: ignore[misc]  # of a newer service
    error.ids = ids
    return error


@cache
def _kinds() -> dict[str, type[AlmanacError]]:
    """Return each error by its code; a code belongs to the first class that defines it."""
    kinds: dict[str, type[AlmanacError]] = {}
    for kind in _below(AlmanacError):
        if "code" in vars(kind):
            kinds.setdefault(kind.code, kind)
    return kinds


def _below(kind: type[AlmanacError]) -> Iterator[type[AlmanacError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
