"""Trouble: what MLflow, its database and the file system complain of, as one of our errors in one line."""

import functools
import re
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from models.errors import ModelUnknown, RegistryError, RegistryUnreachable
from training.registry.location import Place

_CAUSE = re.compile(r"\[Errno -?\d+\] ([\w ]+)|timed out|too many \d+ error responses")
"""What is worth saying of urllib3's account of a dead server."""


def unusable(error: OSError, place: Place) -> RegistryUnreachable:
    """Return what to say of a file or an address that the system refuses."""
    cause = error.strerror or str(error)
    if place.is_server:
        return RegistryUnreachable(f"{place.uri}: {cause}.", hint="See MLFLOW_TRACKING_URI.")
    where = error.filename or place.home
    return RegistryUnreachable(f"{where}: {cause}.", hint="Set ALMANAC_HOME to a folder that you may write to.")


def unreadable(error: Exception, place: Place) -> RegistryUnreachable:
    """Return what to say of a database that SQLAlchemy cannot read; it adds the query and a web address."""
    cause = _first_line(getattr(error, "orig", None) or error)
    return RegistryUnreachable(
        f"{place.database or place.uri} cannot be read ({cause}).",
        hint="If it is damaged put a copy back, or choose another ALMANAC_HOME.",
    )


def refused(error: Any, uri: str) -> RegistryError:  # noqa: ANN401 - MlflowException, imported late
    """Return what to say of MLflow's own complaint about the store at an address."""
    text = _first_line(error.message)
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        return ModelUnknown(f"{text.rstrip('.')}.", hint="almanac models lists what there is.")
    if "API request to" in text or "Max retries" in text:
        cause = _CAUSE.search(str(error.message))
        said = f" ({cause[1] or cause[0]})" if cause else ""
        return RegistryUnreachable(f"{uri} does not answer{said}.", hint="Is it running? See MLFLOW_TRACKING_URI.")
    if "OperationalError" in text or "Detected out-of-date" in text:
        return RegistryUnreachable(f"{uri} cannot be read: {text[:300]}", hint="See MLFLOW_TRACKING_URI.")
    return RegistryError(f"MLflow refuses: {text[:300]}")


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class Placed(Protocol):
    """A registry, as far as its errors need it."""

    place: Place


P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=Placed)


def translated(method: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
    """Turn MLflow's errors into ours: one clear sentence, whatever the store is; they are told by their module."""

    @functools.wraps(method)
    def call(registry: R, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(registry, *args, **kwargs)
        except OSError as error:
            raise unusable(error, registry.place) from error
        except Exception as error:
            package = type(error).__module__.partition(".")[0]
            if package == "mlflow" and hasattr(error, "error_code"):
                raise refused(error, registry.place.uri) from error
            if package == "sqlalchemy":
                raise unreadable(error, registry.place) from error
            raise

    return call
