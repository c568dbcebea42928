"""Translation of errors of MLflow, its database and the file system into RegistryError."""

import functools
import re
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from models.errors import ModelUnknown, RegistryError, RegistryUnreachable
from training.registry.location import RegistryLocation

_CAUSE = re.compile(r"\[Errno -?\d+\] ([\w ]+)|timed out|too many \d+ error responses")
"""The cause in urllib3's message about a server that is down."""

LONGEST_TEXT = 300


def file_error(error: OSError, location: RegistryLocation) -> RegistryUnreachable:
    """Return the error for a file or address that the operating system refuses."""
    cause = error.strerror or str(error)
    if location.is_server:
        return RegistryUnreachable(f"{location.uri}: {cause}.", hint="Check MLFLOW_TRACKING_URI.")
    path = error.filename or location.home
    return RegistryUnreachable(f"{path}: {cause}.", hint="Set ALMANAC_HOME to a folder with write permission.")


def database_error(error: Exception, location: RegistryLocation) -> RegistryUnreachable:
    """Return the error for a database that SQLAlchemy cannot read, without the query."""
    cause = _first_line(getattr(error, "orig", None) or error)
    return RegistryUnreachable(
        f"{location.database or location.uri} cannot be read ({cause}).",
        hint="If it is damaged, restore a copy or choose another ALMANAC_HOME.",
    )


def mlflow_error(error: Any, uri: str) -> RegistryError:  # noqa: ANN401 - MlflowException, imported late
    """Return the error for an MlflowException about the store at an address."""
    text = _first_line(error.message)
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        return ModelUnknown(f"{text.rstrip('.')}.", hint="almanac models lists the models.")
    if "API request to" in text or "Max retries" in text:
        found = _CAUSE.search(str(error.message))
        cause = f" ({found[1] or found[0]})" if found else ""
        return RegistryUnreachable(f"{uri} does not respond{cause}.", hint="Is it running? Check MLFLOW_TRACKING_URI.")
    if "OperationalError" in text or "Detected out-of-date" in text:
        return RegistryUnreachable(f"{uri} cannot be read: {text[:LONGEST_TEXT]}", hint="Check MLFLOW_TRACKING_URI.")
    return RegistryError(f"MLflow reports an error: {text[:LONGEST_TEXT]}")


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class HasLocation(Protocol):
    """An object whose methods are translated."""

    location: RegistryLocation


P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=HasLocation)


def translated(method: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
    """Raise RegistryError instead of the errors of MLflow, its database and the file system.

    MLflow's and SQLAlchemy's errors are recognised by their module, so that neither is imported here.
    """

    @functools.wraps(method)
    def call(registry: R, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(registry, *args, **kwargs)
        except OSError as error:
            raise file_error(error, registry.location) from error
        except Exception as error:
            package = type(error).__module__.partition(".")[0]
            if package == "mlflow" and hasattr(error, "error_code"):
                raise mlflow_error(error, registry.location.uri) from error
            if package == "sqlalchemy":
                raise database_error(error, registry.location) from error
            raise

    return call
