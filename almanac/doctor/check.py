"""Check: what was found out about one part of an installation, and what to do about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from models.errors import AlmanacError
from service.install import install_command

State = Literal["ok", "warning", "error"]

REPORT = "ALMANAC_DEBUG=1 almanac doctor shows where; please report it."


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    Attributes:
        name: The part, such as `database`.
        state: `ok`, `warning` (it works, but may soon not) or `error` (something does not work).
        detail: What was found.
        remedy: What to do; "" where nothing is wrong.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""


Part = Callable[[], Iterable[Check]]


def failed(name: str, error: AlmanacError) -> Check:
    """Return the error of a part, with its own remedy."""
    return Check(name, "error", error.detail, error.hint)


def run_part(name: str, part: Part, *, debug: bool = False) -> list[Check]:
    """Return the checks of a part; whatever it raises is an error of that part, so that the others are still checked."""
    found: list[Check] = []
    try:
        found.extend(part())
    except AlmanacError as error:
        return [*found, failed(name, error)]
    except ModuleNotFoundError as error:
        return [*found, Check(name, "warning", f"Not checked: {error}.", f"Install it: {install_command()}")]
    except Exception as error:
        if debug:
            raise
        return [*found, Check(name, "error", f"Not checked: {type(error).__name__}: {error}", REPORT)]
    return found
