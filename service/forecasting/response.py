"""Answering: from sound series to the bytes of an answer, all series of a request in one batch."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import numpy as np
import orjson
from numpy.typing import NDArray

from models.calendar.on_calendar import format_timestamps
from models.errors import AlmanacError, Finding, FrequencyError, SeriesError
from models.forecaster import Forecaster
from models.series import Forecast, Series
from service.errors import BatchTooLarge, ForecastNotFinite
from service.forecasting.request import ForecastQuery
from service.json_input import SeriesFault, fault_of
from service.selector import SelectedModel

Row = tuple[int, Series, Forecast]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is given.

    Attributes:
        members: The answer's `model`, `forecasts` and `errors`, as data.
        faults: What is wrong with each series that has no forecast, in the order of the request.
        points: Forecast steps given out.
        rows: The forecasts, in the order of `members`.
    """

    members: dict[str, Any]
    faults: tuple[SeriesFault, ...]
    points: int
    rows: tuple[Row, ...]

    @property
    def succeeded(self) -> int:
        """Return how many series have a forecast."""
        return len(self.members["forecasts"])

    def given(self, unnamed: AbstractSet[int] = frozenset()) -> Iterator[tuple[str, Series, Forecast]]:
        """Yield each forecast with the id that it was given, and its history, nameless where it was sent so."""
        for members, (index, series, forecast) in zip(self.members["forecasts"], self.rows, strict=True):
            yield members["forecast_id"], replace(series, id="") if index in unnamed else series, forecast

    def content(self) -> bytes:
        """Return the answer as JSON."""
        return orjson.dumps(self.members, option=orjson.OPT_SERIALIZE_NUMPY)


def answer_forecast(question: ForecastQuery, choice: SelectedModel) -> Answer:
    """Return the answer to a question; raises HorizonInvalid or LevelInvalid if the model refuses the question whole."""
    rows, faults = [], list(question.faults)
    for forecaster, series in _by_forecaster(question, choice):
        sound, refused = _checked(forecaster, series)
        answered, failed = _forecast(forecaster, sound, question)
        rows += answered
        faults += refused + failed
    finite, overflown = _finite(sorted(rows, key=lambda row: row[0]))
    faults = sorted([*faults, *overflown], key=_place)
    members = {
        "model": choice.identity(),
        "forecasts": [_describe(index, forecast, choice.remarks(series)) for index, series, forecast in finite],
        "errors": [fault.to_dict() for fault in faults],
    }
    return Answer(members, tuple(faults), len(finite) * question.horizon, tuple(finite))


def check_size(question: ForecastQuery, choice: SelectedModel, limit: int) -> None:
    """Raise BatchTooLarge if the answer would hold more than `limit` numbers: a short request can ask for gigabytes."""
    spec = choice.served.forecaster.spec
    columns = 1 + len({*spec.quantile_levels, *question.quantiles}) + 2 * len(question.levels)
    numbers = len(question.series) * question.horizon * columns
    if numbers > limit:
        raise BatchTooLarge(
            f"{len(question.series)} series of {question.horizon} steps of {columns} numbers (median, quantiles, bounds of "
            f"levels) are {numbers} numbers.",
            pointer="/series",
            hint=f"Ask for fewer series, steps, levels or quantiles at a time: at most {limit} numbers "
            "(ALMANAC_MAX_NUMBERS).",
        )


def is_large(question: ForecastQuery, choice: SelectedModel) -> bool:
    """Return whether an answer takes long enough, some milliseconds, for other requests to notice."""
    trained_horizon = min(forecaster.spec.horizon for forecaster in choice.forecasters())
    passes = len(question.series) * -(-question.horizon // trained_horizon)
    return passes > LARGE_PASSES or len(question.series) * question.horizon > LARGE_STEPS


LARGE_PASSES = 32
"""Series times blocks of the trained horizon: a network takes about a tenth of a millisecond for each."""
LARGE_STEPS = 2_000
"""Steps to write out: JSON takes about a microsecond for each."""


def _by_forecaster(
    question: ForecastQuery, choice: SelectedModel
) -> Iterable[tuple[Forecaster, Sequence[tuple[int, Series]]]]:
    """Return each forecaster with the series that it is given: one and all of them, unless the starter answers."""
    if choice.starters is None:
        return [(choice.served.forecaster, question.series)]
    groups: dict[int, tuple[Forecaster, list[tuple[int, Series]]]] = {}
    for index, series in question.series:
        forecaster = choice.forecaster_for(series)
        groups.setdefault(id(forecaster), (forecaster, []))[1].append((index, series))
    return groups.values()


def _checked(
    forecaster: Forecaster, series: Sequence[tuple[int, Series]]
) -> tuple[list[tuple[int, Series]], list[SeriesFault]]:
    """Return the series that the model takes, and the faults of the others."""
    sound, faults = [], []
    for index, one in series:
        try:
            forecaster.check(one)
            sound.append((index, one))
        except AlmanacError as error:
            faults.append(fault_of(index, one.id, error))
    return sound, faults


def _forecast(
    forecaster: Forecaster, series: Sequence[tuple[int, Series]], question: ForecastQuery
) -> tuple[list[Row], list[SeriesFault]]:
    """Return the forecasts of all series in one batch; one by one where the batch meets a series that cannot be."""
    try:
        forecasts = forecaster.forecast(
            [one for _, one in series], question.horizon, levels=question.levels, quantiles=question.quantiles
        )
    except (SeriesError, FrequencyError) as error:
        if len(series) == 1:
            index, one = series[0]
            return [], [fault_of(index, one.id, error)]
        parts = [_forecast(forecaster, [pair], question) for pair in series]
        return [row for rows, _ in parts for row in rows], [fault for _, faults in parts for fault in faults]
    return [(index, one, forecast) for (index, one), forecast in zip(series, forecasts, strict=True)], []


def _finite(rows: Sequence[Row]) -> tuple[list[Row], list[SeriesFault]]:
    """Return the rows whose every number is finite, and the faults of the others."""
    finite, faults = [], []
    for row in rows:
        index, series, forecast = row
        sides = [side for interval in forecast.intervals for side in (interval.lower, interval.upper)]
        if all(np.isfinite(numbers).all() for numbers in (forecast.quantiles, forecast.median, *sides)):
            finite.append(row)
        else:
            error = ForecastNotFinite(
                "The forecast overflows: the values are too large.",
                pointer="/values",
                hint="Send them in a larger unit.",
            )
            faults.append(fault_of(index, series.id, error))
    return finite, faults


def _describe(index: int, forecast: Forecast, remarks: Sequence[Finding]) -> dict[str, Any]:
    """Return one forecast as an entry of `forecasts`, with remarks before its own warnings."""
    columns = _plain(forecast.quantiles.T)
    dates = forecast.timestamps
    return {
        "id": forecast.id,
        "forecast_id": str(uuid4()),
        "timestamps": None if dates is None else format_timestamps(dates, forecast.style, forecast.timezone),
        "median": _plain(forecast.median),
        "quantiles": {
            level_name(level): column for level, column in zip(forecast.quantile_levels, columns, strict=True)
        },
        "intervals": {
            level_name(interval.level): {
                "lower": _plain(interval.lower),
                "upper": _plain(interval.upper),
            }
            for interval in forecast.intervals
        },
        "context_used": forecast.context_used,
        "repairs": [{"code": repair.code, "index": repair.index} for repair in forecast.repairs],
        "warnings": [_warning(index, warning) for warning in (*remarks, *forecast.warnings)],
    }


def _plain(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers as they are written: contiguous, and no -0.0 among them."""
    return np.ascontiguousarray(numbers + 0.0)


def level_name(level: float) -> str:
    """Return a level as the key of an answer: 80.0 is `80`, 97.5 is `97.5`, 0.1 is `0.1`."""
    return str(int(level)) if level == int(level) else repr(float(level))


def _warning(index: int, found: Finding) -> dict[str, str]:
    """Return a warning that points into the request: at the horizon, or else at its series."""
    pointer = found.pointer if found.pointer == "/horizon" else f"/series/{index}{found.pointer}"
    return {"code": found.code, "detail": found.detail, "pointer": pointer, "hint": found.hint}


def _place(fault: SeriesFault) -> int:
    """Return a fault's place in the request."""
    return int(fault.finding.pointer.split("/")[2])
