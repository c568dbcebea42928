"""Response: forecasts and errors as the JSON of a response."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
from starlette.responses import Response

from models.calendar.zoned_grid import format_timestamps
from models.errors import Finding
from models.forecast import Forecast, level_name
from models.irregular.repairs import Repair
from models.series import Series
from service.forecasting.predict import ForecastRow, index_of
from service.json_input import SeriesFault
from service.problems import written_problem
from service.random_ids import new_uuid
from service.selector import SelectedModel

OPTIONS = frozenset({"/horizon", "/levels", "/quantiles"})
"""Pointers of warnings that concern the whole request."""


@dataclass(frozen=True, slots=True)
class ForecastResult:
    """The outcome of a forecast request.

    Attributes:
        body: The response's `model`, `forecasts` and `errors`, as data.
        rows: The forecasts, in the order of `body`.
        faults: The error of each series without a forecast, in the order of the request.
    """

    body: dict[str, Any]
    rows: Sequence[ForecastRow]
    faults: Sequence[SeriesFault]

    @property
    def steps(self) -> int:
        """Return the number of forecast steps."""
        return sum(len(forecast.median) for _, _, forecast in self.rows)

    def by_forecast_id(self, unnamed: AbstractSet[int]) -> Iterator[tuple[str, Series, Forecast]]:
        """Yield forecast id, history and forecast; the history has an empty id if its index is in `unnamed`."""
        for entry, (index, series, forecast) in zip(self.body["forecasts"], self.rows, strict=True):
            yield entry["forecast_id"], replace(series, id="") if index in unnamed else series, forecast


def make_result(selected: SelectedModel, rows: Sequence[ForecastRow], faults: Sequence[SeriesFault]) -> ForecastResult:
    """Return the result of a request, each forecast with a new `forecast_id`."""
    body = {
        "model": selected.identity(),
        "forecasts": [_entry(index, forecast, selected.warnings(series)) for index, series, forecast in rows],
        "errors": [fault.to_dict() for fault in faults],
    }
    return ForecastResult(body, rows, faults)


def merge_results(results: Sequence[ForecastResult]) -> ForecastResult:
    """Return the results of a request's blocks as one."""
    faults = sorted((fault for one in results for fault in one.faults), key=index_of)
    forecasts = [entry for one in results for entry in one.body["forecasts"]]
    body = {**results[0].body, "forecasts": forecasts, "errors": [fault.to_dict() for fault in faults]}
    return ForecastResult(body, [row for one in results for row in one.rows], faults)


def to_response(result: ForecastResult) -> Response:
    """Return 200 with the body, or 422 if no series has a forecast."""
    return join_response([write_part(result)])


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a response.

    Attributes:
        model: The response's `model`.
        text: Its forecasts as JSON.
        faults: The errors of its series without a forecast.
    """

    model: Mapping[str, Any]
    text: bytes
    faults: Sequence[SeriesFault]


def join_response(parts: Sequence[Part]) -> Response:
    """Return the response of a request that was forecast in parts."""
    faults = sorted((fault for one in parts for fault in one.faults), key=index_of)
    model, errors = parts[0].model, [fault.to_dict() for fault in faults]
    forecasts = [one.text for one in parts if one.text]
    if not forecasts:
        return written_problem(422, {**_problem_of_all(faults), "model": model, "forecasts": [], "errors": errors})
    start, end = b'{"model":%b,"forecasts":[' % _dump(model), b'],"errors":%b}' % _dump(errors)
    between = [b","] * (2 * len(forecasts) - 1)
    between[::2] = forecasts
    return Response(b"".join([start, *between, end]), media_type="application/json")  # megabytes, copied once


def write_part(result: ForecastResult) -> Part:
    """Return a result with its forecasts as JSON, one by one: orjson lets no other thread run until all it got is written."""
    text = b",".join([_dump(one) for one in result.body["forecasts"]])
    return Part(result.body["model"], text, result.faults)


def _dump(part: object) -> bytes:
    return orjson.dumps(part, option=orjson.OPT_SERIALIZE_NUMPY)


def _problem_of_all(faults: Sequence[SeriesFault]) -> dict[str, str]:
    """Return one problem for all series: their error if they share a code, else a count and the first error."""
    first, count = faults[0].finding, len(faults)
    codes = {fault.finding.code for fault in faults}
    return {
        "code": first.code if len(codes) == 1 else "SERIES_INVALID",
        "detail": first.detail if count == 1 else f"None of {count} series can be forecast. The first: {first.detail}",
        "pointer": first.pointer if count == 1 else "/series",
        "hint": first.hint,
    }


def _entry(index: int, forecast: Forecast, warnings: Sequence[Finding]) -> dict[str, Any]:
    """Return one forecast as an entry of `forecasts`, with `warnings` before its own."""
    forecast = forecast.shown
    columns = np.ascontiguousarray(forecast.quantiles.T)  # as orjson needs them
    dates = forecast.timestamps
    return {
        "id": forecast.id,
        "forecast_id": new_uuid(),
        "frequency": None if forecast.frequency is None else forecast.frequency.name,
        "timestamps": None if dates is None else format_timestamps(dates, forecast.style, forecast.timezone),
        "median": forecast.median,
        **({} if forecast.mean is None else {"mean": forecast.mean}),
        **({} if forecast.paths is None else {"paths": forecast.paths}),
        **(
            {"sums": {one.name: one.to_dict(forecast.quantile_levels) for one in forecast.sums}}
            if forecast.sums
            else {}
        ),
        "quantiles": {
            level_name(level): column for level, column in zip(forecast.quantile_levels, columns, strict=True)
        },
        "intervals": {
            level_name(interval.level): {"lower": interval.lower, "upper": interval.upper}
            for interval in forecast.intervals
        },
        "context_used": forecast.context_used,
        "repairs": [describe_repair(repair) for repair in forecast.repairs],
        "warnings": [describe_warning(index, warning) for warning in (*warnings, *forecast.warnings)],
    }


def describe_repair(repair: Repair) -> dict[str, Any]:
    """Return a repair, with its detail if it has one."""
    entry: dict[str, Any] = {"code": repair.code, "index": repair.index}
    return {**entry, "detail": repair.detail} if repair.detail else entry


def describe_warning(index: int, found: Finding) -> dict[str, str]:
    """Return a warning with a pointer into the request: to an option of the request, or to the series."""
    pointer = found.pointer if found.pointer in OPTIONS else f"/series/{index}{found.pointer}"
    return {**plain_finding(found), "pointer": pointer}


def plain_finding(found: Finding) -> dict[str, str]:
    """Return a finding as data."""
    return {"code": found.code, "detail": found.detail, "pointer": found.pointer, "hint": found.hint}
