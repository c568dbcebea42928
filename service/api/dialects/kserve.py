"""KServe: its time series API, version 1."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from models.calendar.zoned_grid import format_timestamps
from models.forecast import Forecast, level_name
from service.api.dialects.answering import DialectUnsupported, answer, decode_fields
from service.api.dialects.model_names import find_model, list_models, selector_of
from service.api.http import json_response
from service.forecasting.entries import given_ids, parse_one_by_one
from service.forecasting.request import ForecastQuery, check_entries, parse_options
from service.forecasting.response import ForecastResult
from service.json_input import invalid_field
from service.random_ids import new_uuid
from service.selector import SelectedModel
from service.settings import Settings

router = APIRouter(prefix="/v1", include_in_schema=False)

FREQUENCIES: Mapping[str, str] = {
    "second": "s",
    "S": "s",
    "minute": "min",
    "T": "min",
    "hour": "h",
    "H": "h",
    "day": "D",
    "D": "D",
    "week": "W",
    "W": "W",
    "month": "M",
    "M": "M",
    "quarter": "Q",
    "Q": "Q",
    "year": "Y",
    "Y": "Y",
}
UNIVARIATE = "univariate_time_series"


class TimeSeries(BaseModel):
    """One series."""

    model_config = ConfigDict(extra="ignore")

    type: str = UNIVARIATE
    name: str
    series: list[Any]
    frequency: str
    start_timestamp: str | None = None


class Options(BaseModel):
    """Options; `horizon` and `quantiles` are checked where /forecast checks its own."""

    model_config = ConfigDict(extra="ignore")

    horizon: Any
    quantiles: Any = None


class TimeSeriesRequest(BaseModel):
    """The body of POST /v1/timeseries/forecast."""

    model_config = ConfigDict(extra="ignore")

    model: str
    inputs: list[TimeSeries] = Field(min_length=1)
    options: Options
    metadata: Any = None


@dataclass(frozen=True, slots=True)
class Forecasting:
    """POST /v1/timeseries/forecast."""

    sent: TimeSeriesRequest

    @property
    def model(self) -> str | None:
        """Return the model's name, or None for the default."""
        return selector_of(self.sent.model)

    def read(self, _selected: SelectedModel, settings: Settings) -> ForecastQuery:
        """Return the query of all inputs, with means."""
        options = self.sent.options
        fields = {"horizon": options.horizon, "quantiles": options.quantiles, "levels": [], "mean": True}
        query = parse_options(fields, settings.max_horizon)
        check_entries(self.sent.inputs, query.horizon, settings)
        return parse_one_by_one(query, self._entries(), given_ids(self._entries()), settings)

    def plan(self, query: ForecastQuery, _selected: SelectedModel, _settings: Settings) -> ForecastQuery:
        """Return the query as it is."""
        return query

    def write(self, result: ForecastResult) -> Response:
        """Return one output with a forecast for each input."""
        rows = zip(self.sent.inputs, result.rows, strict=True)
        ids = [entry["forecast_id"] for entry in result.body["forecasts"]]
        output = {
            "type": "time_series_forecast",
            "id": new_uuid(),
            "status": "completed",
            "content": [self._content(one, forecast) for one, (_, _, forecast) in rows],
            "forecast_ids": ids,
        }
        response = {"id": new_uuid(), "created_at": int(time.time()), "status": "completed", "model": self.sent.model}
        return json_response({**response, "outputs": [output]})

    def _entries(self) -> Iterator[dict[str, Any]]:
        """Yield each input as an entry of POST /forecast."""
        for place, one in enumerate(self.sent.inputs):
            if one.type != UNIVARIATE:
                raise DialectUnsupported(
                    f"Almanac does not support the type {one.type[:60]!r}.",
                    pointer=f"/inputs/{place}/type",
                    hint=f"Send each variable as an input of its own, of the type `{UNIVARIATE}`.",
                )
            if one.frequency not in FREQUENCIES:
                raise invalid_field("frequency", one.frequency, f"Send one of {', '.join(FREQUENCIES)}.")
            entry = {"id": one.name, "values": one.series, "frequency": FREQUENCIES[one.frequency]}
            yield entry if one.start_timestamp is None else {**entry, "start": one.start_timestamp}

    def _content(self, sent: TimeSeries, forecast: Forecast) -> dict[str, Any]:
        """Return the forecast of an input; closed hours have numbers, too, because the dates are the client's."""
        horizon, stamps = int(self.sent.options.horizon), forecast.timestamps
        start = "" if stamps is None else format_timestamps(stamps[:1], forecast.style, forecast.timezone)[0]
        asked = self.sent.options.quantiles or ()
        places = {level: int(np.argmin(np.abs(np.array(forecast.quantile_levels) - level))) for level in asked}
        mean = forecast.median if forecast.mean is None else forecast.mean
        return {
            "type": UNIVARIATE,
            "name": sent.name,
            "mean_forecast": mean[:horizon],
            "median_forecast": forecast.median[:horizon],
            "frequency": sent.frequency,
            "start_timestamp": start,
            "quantiles": {level_name(level): forecast.quantiles[:horizon, at].tolist() for level, at in places.items()}
            or None,
        }


@router.post("/timeseries/forecast")
async def forecast(request: Request) -> Response:
    """Return the forecasts of all inputs."""
    return await answer(
        request,
        lambda body, _request: Forecasting(
            decode_fields(TimeSeriesRequest, body, "Send `model`, `inputs` and `options`.")
        ),
    )


@router.get("/timeseries/models")
async def timeseries_models(request: Request) -> Response:
    """Return the names of the models that answer."""
    return json_response(list_models(request))


@router.get("/models")
async def models(request: Request) -> Response:
    """Return the names of the models that answer."""
    return json_response({"models": list_models(request)})


@router.get("/models/{model}")
async def model_ready(request: Request, model: str) -> Response:
    """Return that a model answers."""
    await find_model(request, model)
    return json_response({"name": model, "ready": True})
