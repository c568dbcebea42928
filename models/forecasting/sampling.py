"""Sampling: what is asked of the sample paths and the sums of a forecast."""

import re
from dataclasses import dataclass

from models.errors import SamplingInvalid

MOST_PATHS = 1_000
"""Sample paths of one series."""

MOST_WINDOWS = 99
"""Sums of one series."""

LARGEST_SEED = 2**63 - 1

WHOLE = "horizon"
"""Name of the window of all steps."""

WINDOW = re.compile(r"([1-9]\d{0,8})-([1-9]\d{0,8})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Window:
    """Steps of a forecast that are added up.

    Attributes:
        name: As it was asked for: `1-12` or `horizon`.
        first: The first step, from 1.
        last: The last step, at least `first`.
    """

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Sampling:
    """The sample paths and sums of each series.

    Attributes:
        paths: Number of sample paths; 0 for none.
        seed: Seed of their noise; each series has its own noise, which depends on the seed and the series' id alone.
        windows: Steps that are added up.
    """

    paths: int = 0
    seed: int = 0
    windows: tuple[Window, ...] = ()


def read_sampling(paths: object, seed: object, sums: object, horizon: int) -> Sampling | None:
    """Return what is asked for, or None if it is neither paths nor sums.

    Args:
        paths: Whole number from 0 to MOST_PATHS; None for 0.
        seed: Whole number from 0 to LARGEST_SEED; None for 0.
        sums: List of windows such as `1-12`, or `horizon`; None for none.
        horizon: Last step that a window may have.

    Raises:
        SamplingInvalid: If one of them is something else.
    """
    count = _whole("paths", paths, MOST_PATHS)
    number = _whole("seed", seed, LARGEST_SEED)
    windows = _windows(sums, horizon)
    return Sampling(count, number, windows) if count or windows else None


def _whole(name: str, value: object, most: int) -> int:
    if value is None:
        return 0
    whole = isinstance(value, int) and not isinstance(value, bool)
    number = int(value) if whole or (isinstance(value, float) and value.is_integer()) else -1  # type: ignore[call-overload]
    if not 0 <= number <= most:
        raise SamplingInvalid(
            f"`{name}` is {_shown(value)}.", pointer=f"/{name}", hint=f"Send a whole number from 0 to {most}."
        )
    return number


def _windows(sums: object, horizon: int) -> tuple[Window, ...]:
    if sums is None:
        return ()
    if not isinstance(sums, list | tuple) or len(sums) > MOST_WINDOWS:
        raise SamplingInvalid(
            f"`sums` is {_shown(sums)}.",
            pointer="/sums",
            hint=f'Send a list of at most {MOST_WINDOWS} windows such as ["1-3", "{WHOLE}"].',
        )
    return tuple(dict.fromkeys(_window(name, place, horizon) for place, name in enumerate(sums)))


def _window(name: object, place: int, horizon: int) -> Window:
    found = WINDOW.fullmatch(name) if isinstance(name, str) else None
    if name == WHOLE:
        return Window(WHOLE, 1, horizon)
    first, last = (int(step) for step in found.groups()) if found else (0, 0)
    if not 1 <= first <= last <= horizon:
        raise SamplingInvalid(
            f"The window {_shown(name)} of `sums` does not name steps from 1 to {horizon}.",
            pointer=f"/sums/{place}",
            hint=f'Send the first and the last step such as "1-{horizon}", or "{WHOLE}" for all steps.',
        )
    return Window(f"{first}-{last}", first, last)


def _shown(value: object) -> str:
    text = f"a list of {len(value)}" if isinstance(value, list | tuple) else repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - characters on a line
