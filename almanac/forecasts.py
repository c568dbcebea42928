"""Forecasts: what `almanac.forecast`, a model and a client return: a frame, what happened to each series, and plots."""

import warnings
from collections import UserDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from almanac.errors import AlmanacWarning, error_of
from almanac.reading import SeriesFrame, history_of, in_python
from models.calendar.timestamps import parse_timestamp
from models.errors import AlmanacError, DataInvalid
from models.safeguards.warnings import LEVEL_BELOW_ONE

if TYPE_CHECKING:
    from almanac.plot import Plot

T = TypeVar("T")

SHOWN = 5
"""Ids that a warning shows."""


class ById(UserDict[str, T]):
    """What there is about series, by id; an id that is a number in the data is found by number too."""

    def __getitem__(self, key: object) -> T:
        return self.data[str(key)]

    def __contains__(self, key: object) -> bool:
        return str(key) in self.data


@dataclass(frozen=True, eq=False, repr=False)
class Forecasts:
    """Forecasts of the series of a frame.

    Attributes:
        model: Name, version and alias of the model.
        entries: The forecast of each series as `POST /forecast` responds, in the order of the frame.
        errors: Why each of the other series has none, by id.
        source: The frame.
    """

    model: Mapping[str, Any]
    entries: Sequence[Mapping[str, Any]]
    errors: Mapping[str, AlmanacError]
    source: SeriesFrame

    @cached_property
    def frame(self) -> Any:  # noqa: ANN401 - of the kind of the data
        """Return a long frame of the kind of the data, one row for each series and step.

        Its columns are those of the data for id and time, then `median`, `mean` if asked for, a column for each quantile such
        as `q0.1`, `lower_80` and `upper_80` for each level, and `path1` …, as in `almanac forecast --output`.
        """
        return self.source.frame.make(self.table, self.source.names.id)

    @cached_property
    def table(self) -> pa.Table:
        """Return the same rows as a table of PyArrow."""
        steps = [len(one["median"]) for one in self.entries]
        ids = pa.array([one["id"] for one in self.entries], pa.string())
        names = self.source.names
        columns = {
            names.id: self.source.frame.ids_of(ids, names.id).take(pa.array(np.repeat(np.arange(len(steps)), steps))),
            names.time: _timestamps(self.entries, self.source.time_type),
        }
        for name in columns_of(self.entries):
            columns[name] = pa.array(np.concatenate([column_of(one, name) for one in self.entries]), from_pandas=True)
        return pa.table(columns)

    @property
    def warnings(self) -> Mapping[str, Sequence[Mapping[str, str]]]:
        """Return the warnings about each series that has some, by id: `code`, `detail` and `hint`."""
        return ById({one["id"]: one["warnings"] for one in self.entries if one["warnings"]})

    @property
    def repairs(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return what was changed in each history before it was read, by id: `code` and `index`."""
        return ById({one["id"]: one["repairs"] for one in self.entries if one["repairs"]})

    @property
    def ids(self) -> list[str]:
        """Return the ids of the series that have a forecast."""
        return [one["id"] for one in self.entries]

    def __getitem__(self, column: str) -> Any:  # noqa: ANN401 - a column of the user's library
        """Return a column of `frame`."""
        return self.frame[column]

    def __len__(self) -> int:
        """Return the number of rows of `frame`."""
        return sum(len(one["median"]) for one in self.entries)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rows in Arrow's C interface, so that `polars.DataFrame(forecasts)` and others take them."""
        return self.table.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        """Return the frame as a terminal shows it."""
        return repr(self.frame)

    def _repr_html_(self) -> str | None:
        """Return the frame as a notebook shows it."""
        shown = getattr(self.frame, "_repr_html_", None)
        return None if shown is None else str(shown())

    def plot(self, *ids: object) -> "Plot":
        """Return a plot of the ends of some series, their forecasts and intervals; by default of the first six.

        Raises:
            DataInvalid: If a series has no forecast.
            ExtraMissing: If matplotlib is not installed.
        """
        from almanac.plot import draw

        known = {one["id"]: one for one in self.entries}
        chosen = [str(one) for one in ids] or list(known)[:6]
        for name in chosen:
            if name not in known:
                why = f" {self.errors[name]}" if name in self.errors else f" Those with one: {', '.join(known)[:200]}."
                raise DataInvalid(f"Series {name!r} has no forecast.{why}")
        return draw([known[name] for name in chosen], history_of(self.source.entries))


def make_forecasts(
    model: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    errors: Iterable[Mapping[str, Any]],
    source: SeriesFrame,
) -> Forecasts:
    """Return forecasts, and warn of the series without one; raises the error of all series if there is no forecast."""
    failed = {
        str(one["id"]): error_of({**one, "hint": in_python(str(one.get("hint", "")))}, ids=(str(one["id"]),))
        for one in errors
    }
    for text in (*source.notes, *_noted(entries)):
        warnings.warn(text, AlmanacWarning, stacklevel=4)
    if failed and entries:
        shown = "; ".join(f"{name or 'rows without an id'}: {error}" for name, error in list(failed.items())[:SHOWN])
        more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        text = f"{len(failed)} of {len(failed) + len(entries)} series have no forecast (see .errors): {shown}{more}"
        warnings.warn(text, AlmanacWarning, stacklevel=4)
    if failed and not entries:
        first = next(iter(failed.values()))
        kinds = {type(one) for one in failed.values()}
        detail = (
            first.detail
            if len(failed) == 1
            else f"None of {len(failed)} series can be forecast. The first: {first.detail}"
        )
        kind = {"code": first.code if len(kinds) == 1 else "SERIES_INVALID"}
        place = {"detail": f"Series {first.ids[0]!r}: {detail}", "pointer": first.pointer, "hint": first.hint}
        raise error_of({**kind, **place}, ids=tuple(failed))
    return Forecasts(model, entries, ById(failed), source)


def _noted(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the warnings about the request itself that are probably a mistake in it."""
    found = [one for entry in entries[:1] for one in entry["warnings"] if one["code"] == LEVEL_BELOW_ONE]
    return [f"{one['detail']} {one['hint']}" for one in found]


def columns_of(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the columns of numbers; starters of different frequencies may have different quantiles."""
    first = entries[0]
    quantiles = sorted({level for one in entries for level in one["quantiles"]}, key=float)
    sides = [f"{side}_{level}" for level in first["intervals"] for side in ("lower", "upper")]
    paths = [f"path{number + 1}" for number in range(len(first.get("paths", ())))]
    return ["median", *(["mean"] if "mean" in first else []), *(f"q{level}" for level in quantiles), *sides, *paths]


def column_of(entry: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - an array
    """Return a column of a forecast, shape (horizon,); NaN if it has none of this name."""
    if name in {"median", "mean"}:
        return np.asarray(entry[name], np.float64)
    if name.startswith("path"):
        return np.asarray(entry["paths"][int(name.removeprefix("path")) - 1], np.float64)
    side, _, level = name.partition("_")
    found = entry["intervals"].get(level, {}).get(side) if level else entry["quantiles"].get(name.removeprefix("q"))
    return np.asarray(found if found is not None else np.full(len(entry["median"]), np.nan), np.float64)


def _timestamps(entries: Sequence[Mapping[str, Any]], kind: Any) -> Any:  # noqa: ANN401 - types and arrays of pyarrow
    """Return the timestamps in the type of the data: text stays text; without dates the steps, counted from 1."""
    if all(one["timestamps"] is None for one in entries):
        return pa.array(np.concatenate([np.arange(1, len(one["median"]) + 1) for one in entries]))
    texts = [
        text for one in entries for text in one["timestamps"] or [str(step + 1) for step in range(len(one["median"]))]
    ]
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return pa.array(texts, pa.string())
    stamps = [parse_timestamp(text) for text in texts]
    zone = kind.tz if pa.types.is_timestamp(kind) else None
    instants = np.array([one.value if zone is None else one.instant for one in stamps], "M8[us]")
    found = pa.array(instants)
    if zone is not None:
        return found.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp(kind.unit, zone))
    return found.cast(kind) if pa.types.is_timestamp(kind) else found.cast(pa.timestamp("s")).cast(kind)
