"""Pyfunc: a model as MLflow calls it, from a long frame `unique_id, ds, y` to a long frame of forecasts."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.dates import read_start
from models.calendar.timestamps import parse_timestamp
from models.covariates import CovariateNames
from models.errors import RequestError, SamplingInvalid, SeriesEmpty, SeriesError, SeriesNotNumeric, TimestampInvalid
from models.forecast import Forecast
from models.forecaster import Forecaster
from models.forecasting.open_steps import forecast_open_steps
from models.forecasting.sampling import Sampling, read_sampling
from models.ids import plain_id
from models.intervals import interval_sides
from models.series import Series

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("unique_id", "ds", "y")


@dataclass(frozen=True, slots=True)
class PyfuncForecaster:
    """An artifact as MLflow's pyfunc."""

    forecaster: Forecaster

    def predict(self, model_input: "pd.DataFrame", params: dict[str, Any] | None = None) -> "pd.DataFrame":
        """Return forecasts for a long frame.

        Args:
            model_input: Columns `unique_id` (read as in files: without blanks at the ends, in NFC), `ds` (dates or text), `y` (numbers) and the model's covariates; rows in any
                order. Rows after the last value have the future of covariates that are known ahead.
            params: `horizon` (default: the trained one), `levels` (default: [80]), `mean` (default: False), `paths` (number of
                sample paths, default: 0), `seed` (default: 0) and `sums` (windows such as "1-12" or "horizon", default: []).

        Returns:
            Columns `unique_id`, `ds`, `median`, `mean` if asked for, then `q0.1` … by level and `path1` …; `horizon` rows for each
            series, none of them in closed hours. With `sums` a row for each series and window in their place: `unique_id`, `window`, `median`, `mean` if
            asked for, `q0.1` …

        Raises:
            SeriesEmpty: If the frame has no rows.
            RequestError: If it lacks a column, or a row an id.
            SeriesError: If a series cannot be used; the text names it.
            HorizonInvalid: If `horizon` is below 1.
            SamplingInvalid: If `paths`, `seed` or `sums` is out of range, or there are both paths and sums.
        """
        spec = self.forecaster.spec
        series = read_frame(model_input, spec.covariates, spec.frequency)
        asked = read_params(params or {}, spec.horizon)
        forecasts = forecast_open_steps(
            self.forecaster,
            series,
            asked.horizon,
            levels=asked.levels,
            quantiles=asked.sides,
            mean=asked.mean,
            sampling=asked.sampling,
        )
        return write_frame([one.shown for one in forecasts])


@dataclass(frozen=True, slots=True)
class Params:
    """What is asked of the forecasts of a frame.

    Attributes:
        horizon: Steps ahead.
        levels: Central intervals, in per cent.
        mean: Whether there is a mean.
        sampling: Sample paths or sums.
    """

    horizon: int
    levels: tuple[float, ...]
    mean: bool
    sampling: Sampling | None

    @property
    def sides(self) -> list[float]:
        """Return the quantile levels of the intervals' sides: a frame has them in place of intervals."""
        return [side for level in self.levels for side in interval_sides(level)]


def read_params(params: Mapping[str, Any], horizon: int) -> Params:
    """Return the params of `PyfuncForecaster.predict`; `horizon` is that of a request without one. Raises SamplingInvalid."""
    steps = int(params.get("horizon", horizon))
    levels = tuple(float(level) for level in params.get("levels", (80.0,)))
    return Params(steps, levels, bool(params.get("mean", False)), _sampling(params, steps))


def read_frame(frame: "pd.DataFrame", names: CovariateNames, frequency: str | None) -> list[Series]:
    """Return the series of a long frame, in order of appearance.

    Args:
        frame: As for `PyfuncForecaster.predict`.
        names: The covariates that the model reads.
        frequency: That of the model; None to infer it from the dates of each series.

    Raises:
        AlmanacError: As `PyfuncForecaster.predict`.
    """
    if frame.empty:
        raise SeriesEmpty(
            "The frame has no rows.", hint="Send the columns unique_id, ds and y, one row for each value."
        )
    if missing := [name for name in COLUMNS if name not in frame]:
        raise RequestError(
            f"The frame has no column {missing[0]}. Received: {', '.join(map(str, frame.columns))[:200]}.",
            hint="Send the columns unique_id, ds and y, one row for each value.",
        )
    ids = frame["unique_id"].map(lambda one: plain_id(str(one)), na_action="ignore")
    if (nameless := ids.isna() | (ids == "")).any():
        raise RequestError(f"Row {int(np.argmax(nameless))} has no unique_id.", hint="Name the series of every row.")
    return [_series_in(group, str(key), names, frequency) for key, group in frame.groupby(ids, sort=False)]


def write_frame(forecasts: Sequence[Forecast]) -> "pd.DataFrame":
    """Return forecasts, or their sums if they have any, as `PyfuncForecaster.predict` returns them."""
    return _sums_of(forecasts) if forecasts and forecasts[0].sums else _frame_of(forecasts)


def _series_in(rows: "pd.DataFrame", key: str, names: CovariateNames, frequency: str | None) -> Series:
    """Return the series of some rows; with covariates known ahead, rows after the last value are their future."""
    try:
        order, dates = _sorted_dates(rows["ds"])
        given = {name: _numbers(rows, name)[order] for name in names.all if name in rows}
        whole = Series.make(
            _numbers(rows, "y")[order],
            id=key,
            timestamps=dates,
            frequency=frequency if dates is not None else None,
            past_covariates=given,
            future_covariates={name: [] for name in names.future if name in given},
        )
    except SeriesError as error:
        raise type(error)(f"Series {key!r}: {error.detail}", pointer=error.pointer, hint=error.hint) from error
    return whole.before(int(np.flatnonzero(~np.isnan(whole.values))[-1]) + 1) if names.future else whole


def _numbers(rows: "pd.DataFrame", name: str) -> NDArray[np.float64]:
    """Return a column of numbers of any type as float64, NaN where there is none."""
    column = rows[name]
    try:
        numbers: NDArray[np.float64] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError, OverflowError) as error:
        raise SeriesNotNumeric(
            f"Column {name} must be numbers. Received: {str(next(filter(_is_no_number, column), None))[:60]!r}.",
            hint="Send numbers, and NaN or None where nothing was observed.",
        ) from error
    return numbers


def _is_no_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]  # whatever is not a number raises
    except (TypeError, ValueError, OverflowError):
        return value is not None
    return False


def _sorted_dates(column: "pd.Series[Any]") -> tuple[NDArray[np.intp], Any]:
    """Return the order of the rows by time, and their dates in that order; None for dates if there are none at all."""
    if column.isna().all():
        return np.arange(len(column)), None
    if column.isna().any():
        raise TimestampInvalid("Some rows have a date in ds and others have none.", hint="Send a date in every row.")
    if column.dtype.kind == "M" and getattr(column.dtype, "tz", None) is None:
        stamps = column.to_numpy(dtype="datetime64[us]")
        order = np.argsort(stamps, kind="stable")
        return order, stamps[order]
    items = column.tolist()
    times = {item: _instant(item) for item in dict.fromkeys(items)}
    order = np.argsort(np.array([times[item] for item in items], "M8[us]"), kind="stable")
    return order, [items[place] for place in order]


def _instant(item: Hashable) -> Any:  # noqa: ANN401 - datetime or datetime64
    """Return a date as one time by which rows are sorted; raises TimestampInvalid."""
    text = item.isoformat() if isinstance(item, datetime) else item
    return parse_timestamp(text).instant if isinstance(text, str) else read_start(text, None).stamps[0]


def _sampling(asked: Mapping[str, Any], horizon: int) -> Sampling | None:
    """Return the paths or sums that are asked for; MLflow passes them as numbers and arrays of numpy."""
    paths, seed = (int(asked.get(name, 0)) for name in ("paths", "seed"))
    sampling = read_sampling(paths, seed, [str(one) for one in asked.get("sums", ())], horizon)
    if sampling is not None and sampling.paths and sampling.windows:
        raise SamplingInvalid(
            "The frame has either paths or sums.", pointer="/sums", hint="Ask for them in two calls of predict."
        )
    return sampling


def _frame_of(forecasts: Sequence[Forecast]) -> "pd.DataFrame":
    """Return the forecasts as a long frame, every computed quantile and each path a column."""
    import pandas as pd

    frames = []
    for forecast in forecasts:
        columns = {} if forecast.mean is None else {"mean": forecast.mean}
        columns |= {f"q{level:g}": forecast.quantiles[:, k] for k, level in enumerate(forecast.quantile_levels)}
        if forecast.paths is not None:
            columns |= {f"path{number}": path for number, path in enumerate(forecast.paths, start=1)}
        frames.append(
            pd.DataFrame({"unique_id": forecast.id, "ds": forecast.timestamps, "median": forecast.median, **columns})
        )
    return pd.concat(frames, ignore_index=True)


def _sums_of(forecasts: Sequence[Forecast]) -> "pd.DataFrame":
    """Return the sums of the forecasts, a row for each series and window, every computed quantile a column."""
    import pandas as pd

    rows = []
    for forecast in forecasts:
        names = [f"q{level:g}" for level in forecast.quantile_levels]
        for one in forecast.sums:
            mean = {} if one.mean is None else {"mean": one.mean}
            quantiles = dict(zip(names, one.quantiles, strict=True))
            rows.append({"unique_id": forecast.id, "window": one.name, "median": one.median, **mean, **quantiles})
    return pd.DataFrame(rows)
