"""Options: what may be asked of a forecast from Python, and the fields of a request that it becomes."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, TypedDict

import numpy as np

from almanac.frames import Columns
from almanac.reading import SeriesFrame, read_series
from models.errors import HorizonInvalid, LevelInvalid


class ReadingOptions(TypedDict, total=False):
    """How a frame is read.

    Attributes:
        frequency: Such as `M` or `D`. Default: inferred from the timestamps.
        timezone: IANA name; steps then follow local time.
        id_col: Column with the ids, or several columns that together name a series. Default `unique_id`.
        time_col: Column with the timestamps. Default `ds`.
        target_col: Column with the values. Default `y`.
        date_format: How dates are written, as for `strptime`, such as `%d/%m/%Y`. Default: found out.
        progress: Whether a progress bar is shown. Default: on a terminal and in a notebook, for many series.
    """

    frequency: str | None
    timezone: str | None
    id_col: str | Sequence[str] | None
    time_col: str | None
    target_col: str | None
    date_format: str | None
    progress: bool | None


class ForecastOptions(ReadingOptions, total=False):
    """What may be asked of a forecast, with the names of `POST /forecast`; and how the frame is read.

    Attributes:
        levels: Central intervals in per cent, or one. Default [80].
        quantiles: Quantile levels in (0, 1) beside the trained ones.
        mean: Whether there is a column `mean`.
        paths: Number of sample paths of each series.
        seed: Of the paths.
        missing: What a missing timestamp means: `gap` or `zero`.
        outliers: What the model reads in place of implausible values: `clip` or `mask`.
        minimum: Lowest value that a forecast may have.
        maximum: Highest value.
        future: A frame with the covariates over the horizon; otherwise they are in rows after the last value.
    """

    levels: float | Sequence[float]
    quantiles: float | Sequence[float]
    mean: bool
    paths: int
    seed: int
    missing: str
    outliers: str
    minimum: float
    maximum: float
    future: Any


def check_options(options: Mapping[str, Any], kind: type[ReadingOptions] = ForecastOptions) -> None:
    """Raise TypeError for an option that there is not."""
    known = list(kind.__annotations__)
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"There is no option {name!r}.{meant} The options are {', '.join(known)}.")


def request_fields(horizon: int | None, options: ForecastOptions) -> dict[str, Any]:
    """Return the fields of a request but its series.

    Raises:
        TypeError: If there is no such option.
        HorizonInvalid: If the horizon is no whole number of 1 or more.
        LevelInvalid: If a level is no number.
    """
    check_options(options)
    _check_horizon(plain(horizon))
    known = ("levels", "quantiles", "mean", "paths", "seed", "missing", "outliers")
    fields: dict[str, Any] = {"horizon": plain(horizon)}
    fields |= {name: plain(value) for name, value in options.items() if name in known and value is not None}
    for name in ("levels", "quantiles"):
        if name in fields:
            fields[name] = _numbers(name, fields[name])
    bounds = {name: plain(options.get(name)) for name in ("minimum", "maximum") if options.get(name) is not None}
    return {**fields, "bounds": bounds} if bounds else fields


def _check_horizon(horizon: object) -> None:
    if not isinstance(horizon, int | float) or isinstance(horizon, bool) or horizon < 1 or horizon % 1:
        raise HorizonInvalid(
            f"The horizon is {horizon!r}.",
            pointer="/horizon",
            hint="Give a whole number of 1 or more, such as horizon=12.",
        )


def plain(value: Any) -> Any:  # noqa: ANN401 - what the user gives
    """Return a number of NumPy as one of Python, which JSON has."""
    return value.item() if isinstance(value, np.generic) else value


def _numbers(name: str, given: Any) -> list[float]:  # noqa: ANN401 - what the user gives
    """Return levels, which may be a single one, as a list."""
    several = given if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    found = [plain(one) for one in several]
    for one in found:
        if not isinstance(one, Real) or isinstance(one, bool):
            example = "[80, 95]" if name == "levels" else "[0.1, 0.9]"
            raise LevelInvalid(f"{name} has {one!r}, which is not a number.", hint=f"Give numbers: {name}={example}.")
    return [float(one) for one in found]


def columns_of(options: ReadingOptions) -> Columns:
    """Return the columns that are named."""
    return Columns.of(options.get("id_col"), options.get("time_col"), options.get("target_col"))


def read_with(
    data: Any,  # noqa: ANN401 - a frame of any kind
    options: ForecastOptions,
    horizon: int | None,
    covariates: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> SeriesFrame:
    """Return the series of a frame, read as the options say."""
    fields = {name: options.get(name) for name in ("frequency", "timezone")}
    return read_series(
        data,
        columns_of(options),
        fields=fields,
        horizon=horizon,
        covariates=covariates,
        future=options.get("future"),
        date_format=options.get("date_format"),
    )
