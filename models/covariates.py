"""Covariates: further columns of a series, known up to its last value or beyond it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Self

import numpy as np

from models.errors import (
    ConfigInvalid,
    CovariateLength,
    CovariateMissing,
    CovariateNotNumeric,
    CovariateUnknown,
    Finding,
    SeriesNotNumeric,
)
from models.json_values import json_pointer
from models.values import Values, describe, read_values

Covariates = Mapping[str, Values]
"""Values at the series' steps by name, NaN where unknown."""

NO_COVARIATES: Covariates = MappingProxyType({})

HOLIDAYS = "holidays_"
"""Prefix of covariates that are counted from the dates, such as `holidays_DE`."""

PAST, FUTURE = "past_covariates", "future_covariates"
SHOWN_LENGTH = 60


@dataclass(frozen=True, slots=True)
class CovariateNames:
    """Names of the covariates that a model reads, in the order of its graph.

    Attributes:
        past: Names of those known up to the last value.
        future: Names of those known over the horizon too, holidays among them.
        holidays: Countries whose holidays are counted from the dates, such as `DE` for `holidays_DE`.
    """

    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    holidays: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.past or self.future)

    @property
    def all(self) -> tuple[str, ...]:
        """Every name, those known up to the last value first."""
        return (*self.past, *self.future)

    @property
    def counted(self) -> tuple[str, ...]:
        """The names that are counted from the dates."""
        return tuple(f"{HOLIDAYS}{country}" for country in self.holidays)

    @property
    def read(self) -> tuple[str, ...]:
        """The names that a file or a request gives: all but those that are counted."""
        return tuple(name for name in self.all if name not in self.counted)

    @classmethod
    def make(cls, past: Sequence[str] = (), future: Sequence[str] = (), holidays: Sequence[str] = ()) -> Self:
        """Return the names of given covariates and counted holidays; raise ConfigInvalid if one occurs twice."""
        made = cls(
            tuple(past), tuple(dict.fromkeys([*future, *(f"{HOLIDAYS}{one}" for one in holidays)])), tuple(holidays)
        )
        for kind, names in ((PAST, made.past), (FUTURE, tuple(future)), ("holidays", made.holidays)):
            if len(set(names)) < len(names):
                raise ConfigInvalid(f"{kind} has a name twice. Received: {', '.join(names)}.")
        both = [name for name in made.past if name in made.future]
        if both:
            raise ConfigInvalid(
                f"{both[0]!r} is in {PAST} and in {FUTURE}.", hint=f"Keep it in {FUTURE} only; its history is read too."
            )
        return made

    def check(self, past: Covariates, future: Covariates) -> None:
        """Refuse covariates that a model does not read, and missing ones; raises CovariateUnknown, CovariateMissing."""
        for name in past:
            self._require(name, PAST, self.all)
        for name in future:
            self._require(name, FUTURE, self.future)
        for kind, given, wanted in ((PAST, past, self.past), (FUTURE, future, self.future)):
            for name in wanted:
                if name not in given and name not in self.counted:
                    raise CovariateMissing(
                        f"The covariate {name!r} is missing in {kind}.",
                        pointer=json_pointer(kind, name),
                        hint="Send its values, null where they are unknown.",
                    )

    def warnings(self, past: Covariates, future: Covariates, horizon: int, *, dated: bool) -> list[Finding]:
        """Return the warnings about a forecast's covariates, which have passed `check`."""
        found = []
        for name in (name for name in self.future if name in future):
            if name not in past:
                found.append(
                    Finding(
                        "COVARIATE_HISTORY_MISSING",
                        f"The history of {name!r} is not given, so its effect in this series is unknown.",
                        json_pointer(PAST, name),
                        "Send its history in past_covariates, one number for each value.",
                    )
                )
            unknown = horizon - int(np.count_nonzero(~np.isnan(future[name][:horizon])))
            if unknown:
                found.append(
                    Finding(
                        "COVARIATE_FUTURE_UNKNOWN",
                        f"{name!r} is unknown in {unknown} of {horizon} steps ahead.",
                        json_pointer(FUTURE, name),
                        "Send one number for each step of the horizon.",
                    )
                )
        if self.holidays and not dated:
            hint = "Send start and frequency, or timestamps."
            found.append(
                Finding("HOLIDAYS_UNKNOWN", "Holidays are unknown because the series has no dates.", hint=hint)
            )
        return found

    def _require(self, name: str, kind: str, known: tuple[str, ...]) -> None:
        """Raise CovariateUnknown if a name is not known, or is counted from the dates."""
        if name in self.counted:
            raise CovariateUnknown(
                f"{name!r} is counted from the dates and cannot be sent.",
                pointer=json_pointer(kind, name),
                hint="Leave it out.",
            )
        if name in known:
            return
        known = tuple(one for one in known if one in self.read)
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known in {kind}: {', '.join(known)}."
        if not known:
            hint = f"The model has no {kind}; leave them out."
        if kind == FUTURE and name in self.past:
            hint = f"{name!r} is known up to the last value only. Send it in {PAST}."
        raise CovariateUnknown(
            f"Unknown covariate {_shown(name)} in {kind}.", pointer=json_pointer(kind, name), hint=hint
        )


def _shown(name: str) -> str:
    """Return a name for an error text, quoted and cut."""
    return repr(name if len(name) <= SHOWN_LENGTH else f"{name[:SHOWN_LENGTH]}…")


def check_covariates(past: Covariates, future: Covariates, length: int) -> tuple[Covariates, Covariates]:
    """Return covariates as read-only copies.

    Args:
        past: By name, shape (length,).
        future: By name, values after the series' last one, of any length.
        length: Values of the series.

    Raises:
        CovariateLength: If one of `past` has another length.
        CovariateNotNumeric: If values are not flat, or one is infinite.
    """
    if not past and not future:
        return NO_COVARIATES, NO_COVARIATES
    return (
        MappingProxyType({name: _checked(PAST, name, values, length) for name, values in past.items()}),
        MappingProxyType({name: _checked(FUTURE, name, values, None) for name, values in future.items()}),
    )


def read_covariates(past: object, future: object, length: int, horizon: int | None) -> tuple[Covariates, Covariates]:
    """Return the history and the future of covariates from any mapping of numbers.

    Args:
        past: Name to `length` numbers, None or NaN where unknown; None for none.
        future: Name to `horizon` numbers after the last value, or any count if the horizon is None. They may follow the
            history, which is used if `past` has none.
        length: Values of the series.
        horizon: Steps to forecast, or None if unknown.

    Raises:
        CovariateLength: If a list has another length.
        CovariateNotNumeric: If a list has a value that is not a number.
    """
    if past is None and future is None:
        return NO_COVARIATES, NO_COVARIATES
    history = {name: _read(PAST, name, values) for name, values in _items(PAST, past)}
    ahead = {}
    for name, given in _items(FUTURE, future):
        values = _read(FUTURE, name, given)
        if horizon is not None and len(values) == length + horizon:
            history.setdefault(name, values[:length])
            values = values[length:]
        if horizon is not None and len(values) != horizon:
            raise _wrong_length(
                FUTURE, name, len(values), f"{horizon} (the horizon) or {length + horizon} (history too)"
            )
        ahead[name] = values
    for name, values in history.items():
        if len(values) != length:
            raise _wrong_length(PAST, name, len(values), f"{length}, as the series has")
    return history, ahead


def cut_covariates(past: Covariates, future: Covariates, cutoff: int, length: int) -> tuple[Covariates, Covariates]:
    """Return the covariates known at a cutoff: later values of those known ahead become their future.

    Args:
        past: By name, shape (length,).
        future: By name, values after the last one.
        cutoff: Values of the series that are kept.
        length: Values of the series before the cut.
    """
    kept = {name: values[:cutoff] for name, values in past.items()}
    unknown = np.full(length, np.nan)
    ahead = {name: np.concatenate([past.get(name, unknown)[cutoff:], values]) for name, values in future.items()}
    return kept, ahead


def _items(kind: str, given: object) -> list[tuple[str, object]]:
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise CovariateNotNumeric(
            f"Expected an object of name and values; received {describe(given)}.",
            pointer=f"/{kind}",
            hint='Send {"price": [1.5, 2, null]}.',
        )
    return list(given.items())


def _read(kind: str, name: str, given: object) -> Values:
    try:
        return read_values(given)
    except SeriesNotNumeric as error:
        index = error.pointer.removeprefix("/values")
        raise _not_numeric(kind, name, index, error.detail) from error


def _checked(kind: str, name: str, values: Values, length: int | None) -> Values:
    copy = np.array(values, dtype=np.float64)
    if copy.ndim != 1:
        raise _not_numeric(kind, name, "", f"Expected a flat list; received {copy.ndim} dimensions.")
    if length is not None and len(copy) != length:
        raise _wrong_length(kind, name, len(copy), f"{length}, as the series has")
    if np.isinf(copy).any():
        index = f"/{int(np.argmax(np.isinf(copy)))}"
        raise _not_numeric(kind, name, index, "A value is infinite, or too large for a float64.")
    copy.setflags(write=False)
    return copy


def _wrong_length(kind: str, name: str, found: int, wanted: str) -> CovariateLength:
    return CovariateLength(
        f"The covariate {_shown(name)} has {found} values; it must have {wanted}.",
        pointer=json_pointer(kind, name),
        hint="Send one number for each step, null where it is unknown.",
    )


def _not_numeric(kind: str, name: str, index: str, detail: str) -> CovariateNotNumeric:
    return CovariateNotNumeric(
        detail,
        pointer=json_pointer(kind, name) + index,
        hint="Send numbers, null where one is unknown, 1 and 0 for yes and no.",
    )
