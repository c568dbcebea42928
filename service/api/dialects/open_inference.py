"""Open Inference Protocol, version 2: the API of KServe and Triton, with a forecast as an inference."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from models.calendar.zoned_grid import format_timestamps
from models.forecast import Forecast
from service.api.dialects.answering import answer, first_steps
from service.api.dialects.model_names import find_model, full_name, list_models, selector_of
from service.api.dialects.tensors import HEADER, InferRequest, Input, Output, decode_tensors, write_tensors
from service.api.http import json_response
from service.api.state import service_of
from service.errors import FieldInvalid, FieldMissing, FieldUnknown
from service.forecasting.entries import given_ids, parse_one_by_one
from service.forecasting.request import ForecastQuery, check_entries, parse_options
from service.forecasting.response import ForecastResult
from service.json_input import describe_value
from service.selector import SelectedModel
from service.settings import Settings

router = APIRouter(prefix="/v2", include_in_schema=False)

PER_SERIES = ("ids", "start", "frequency", "timezone")
LISTS = ("levels", "quantiles")
OPTIONS = ("horizon", "record", "missing", *LISTS, *PER_SERIES)
COVARIATES = ("past_covariates.", "future_covariates.")
BINARY_OPTIONS = ("binary_data_output", "sequence_id", "sequence_start", "sequence_end", "priority", "timeout")
"""Parameters of the protocol itself and of Triton's client."""


@dataclass(slots=True)
class Inference:
    """POST /v2/models/{model}/infer."""

    name: str
    sent: InferRequest
    inputs: Mapping[str, Input]
    horizon: int = field(default=0)

    @property
    def model(self) -> str | None:
        """Return the model's name, or None for the default."""
        return selector_of(self.name)

    def read(self, _selected: SelectedModel, settings: Settings) -> ForecastQuery:
        """Return the query of the rows of `values`."""
        parameters = self.sent.parameters or {}
        _check_names(self.inputs, parameters)
        fields = {name: self._option(name) for name in ("horizon", "missing", *LISTS)}
        if fields["horizon"] is None:
            raise FieldMissing("`horizon` is missing.", pointer="/parameters/horizon", hint="It is required.")
        fields["record"] = parameters.get("record")
        query = parse_options(fields, settings.max_horizon)
        self.horizon = query.horizon
        rows = self._rows("values")
        check_entries(rows, query.horizon, settings)
        return parse_one_by_one(query, self._entries(rows), given_ids(self._entries(rows)), settings)

    def plan(self, query: ForecastQuery, _selected: SelectedModel, _settings: Settings) -> ForecastQuery:
        """Return the query as it is."""
        return query

    def write(self, result: ForecastResult) -> Response:
        """Return the forecasts as tensors."""
        model = result.body["model"]
        forecasts = [forecast for _, _, forecast in result.rows]
        ids = [entry["forecast_id"] for entry in result.body["forecasts"]]
        head = {"model_name": self.name, "model_version": model["version"]}
        return write_tensors(self.sent, head, [*_outputs(forecasts, self.horizon), _texts("forecast_ids", ids)])

    def _option(self, name: str) -> Any:  # noqa: ANN401 (any JSON)
        """Return an option, from an input or from the parameters; a list for LISTS, and one value for the others."""
        if name in self.inputs:
            values = [_plain(one) for one in self.inputs[name].values]
            if name in LISTS:
                return values
            return values[0] if len(values) == 1 else values
        value = (self.sent.parameters or {}).get(name)
        return [value] if name in LISTS and isinstance(value, int | float) else value

    def _rows(self, name: str) -> list[list[Any]]:
        """Return an input of the shape [length] or [series, length] as one list for each series."""
        found = self.inputs.get(name)
        if found is None:
            raise FieldMissing(
                f"There is no input `{name}`.",
                pointer="/inputs",
                hint="Send it with the datatype FP64 and the shape [length] or [series, length].",
            )
        if len(found.shape) <= 1:
            return [found.values]
        length = found.shape[1]
        return [found.values[at * length : (at + 1) * length] for at in range(found.shape[0])]

    def _entries(self, rows: list[list[Any]]) -> Iterator[dict[str, Any]]:
        """Yield each series as an entry of POST /forecast."""
        own = {name: self._per_series(name, len(rows)) for name in PER_SERIES}
        covariates = {name: self._rows(name) for name in self.inputs if name.startswith(COVARIATES)}
        for name, parts in covariates.items():
            if len(parts) != len(rows):
                raise FieldInvalid(
                    f"The input {describe_value(name)} has {len(parts)} rows for {len(rows)} series.",
                    pointer="/inputs",
                    hint="Send a row for each series.",
                )
        for place, values in enumerate(rows):
            entry = {"values": values, **{name: one[place] for name, one in own.items() if one[place] is not None}}
            if "ids" in entry:
                entry["id"] = entry.pop("ids")
            for name, parts in covariates.items():
                kind, _, covariate = name.partition(".")
                entry.setdefault(kind, {})[covariate] = parts[place]
            yield entry

    def _per_series(self, name: str, count: int) -> list[Any]:
        value = self._option(name)
        values = value if isinstance(value, list) else [value] * count
        if len(values) != count:
            raise FieldInvalid(
                f"`{name}` has {len(values)} elements for {count} series.",
                pointer="/inputs",
                hint="Send one, or one each.",
            )
        return values


def _check_names(inputs: Mapping[str, Input], parameters: Mapping[str, Any]) -> None:
    for name in inputs:
        if name not in {"values", *OPTIONS} and not name.startswith(COVARIATES):
            raise FieldUnknown(
                f"There is no input {describe_value(name)}.",
                pointer="/inputs",
                hint=f"The inputs are values, {', '.join(OPTIONS)}, past_covariates.NAME and future_covariates.NAME.",
            )
    for name in parameters:
        if name not in {*OPTIONS, *BINARY_OPTIONS}:
            raise FieldUnknown(
                f"There is no parameter {describe_value(name)}.",
                pointer="/parameters",
                hint=f"The parameters are {', '.join(OPTIONS)}.",
            )


def _plain(value: Any) -> Any:  # noqa: ANN401 (a number or text)
    """Return a whole number as an int, as JSON has it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _outputs(forecasts: list[Forecast], horizon: int) -> Iterator[Output]:
    """Yield median, quantiles and intervals: shape (series, horizon), or (series, horizon, levels)."""
    first = forecasts[0]
    yield Output("median", np.stack([first_steps(one.median, one, horizon) for one in forecasts]))
    tables = [np.stack([first_steps(column, one, horizon) for column in one.quantiles.T], axis=-1) for one in forecasts]
    yield Output("quantiles", np.stack(tables))
    yield Output("quantile_levels", np.array(first.quantile_levels, dtype=np.float64))
    if first.intervals:
        for side in ("lower", "upper"):
            sides = [
                np.stack([first_steps(getattr(part, side), one, horizon) for part in one.intervals], axis=-1)
                for one in forecasts
            ]
            yield Output(side, np.stack(sides))
        yield Output("levels", np.array([part.level for part in first.intervals], dtype=np.float64))
    if all(one.timestamps is not None for one in forecasts):
        times = [
            text
            for one in forecasts
            if one.timestamps is not None
            for text in format_timestamps(one.timestamps[:horizon], one.style, one.timezone)
        ]
        yield Output("timestamps", np.array(times, dtype=object).reshape(len(forecasts), horizon))


def _texts(name: str, texts: list[str]) -> Output:
    return Output(name, np.array(texts, dtype=object))


def _decode(name: str, body: bytes, request: Request) -> Inference:
    return Inference(name, *decode_tensors(body, request.headers.get(HEADER)))


@router.post("/models/{model}/infer")
@router.post("/models/{model}/versions/{version}/infer")
async def infer(request: Request, model: str, version: str = "") -> Response:
    """Return the forecasts of the rows of `values`."""
    await find_model(request, model, version)
    name = full_name(request, model, version)
    return await answer(request, lambda body, request: _decode(name, body, request))


@router.get("/models/{model}/ready")
@router.get("/models/{model}/versions/{version}/ready")
async def model_ready(request: Request, model: str, version: str = "") -> Response:
    """Return 200 if the model answers."""
    await find_model(request, model, version)
    return json_response({"name": model, "ready": True})


@router.get("/models/{model}")
@router.get("/models/{model}/versions/{version}")
async def metadata(request: Request, model: str, version: str = "") -> Response:
    """Return the tensors of a model."""
    selected = await find_model(request, model, version)
    registered = service_of(request).catalog.index.models.get(selected.model.name)
    covariates = selected.model.forecaster.spec
    named = [f"past_covariates.{name}" for name in (*covariates.past_covariates, *covariates.future_covariates)]
    named += [f"future_covariates.{name}" for name in covariates.future_covariates]
    return json_response(
        {
            "name": model,
            "versions": list(registered.versions) if registered else [selected.model.version],
            "platform": "almanac",
            "inputs": [
                _described("values", "FP64", [-1, -1]),
                *(_described(name, "FP64", [-1, -1]) for name in named),
                _described("horizon", "INT64", [1]),
                *(_described(name, "FP64", [-1]) for name in LISTS),
                *(_described(name, "BYTES", [-1]) for name in PER_SERIES),
            ],
            "outputs": [
                _described("median", "FP64", [-1, -1]),
                _described("quantiles", "FP64", [-1, -1, -1]),
                _described("quantile_levels", "FP64", [-1]),
                _described("lower", "FP64", [-1, -1, -1]),
                _described("upper", "FP64", [-1, -1, -1]),
                _described("levels", "FP64", [-1]),
                _described("timestamps", "BYTES", [-1, -1]),
                _described("forecast_ids", "BYTES", [-1]),
            ],
        }
    )


def _described(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


@router.get("/models")
async def models(request: Request) -> Response:
    """Return the models that answer; the names are objects, as NixtlaClient and Triton read them."""
    return json_response({"models": [{"name": name} for name in list_models(request)]})


@router.post("/repository/index")
async def repository_index(request: Request) -> Response:
    """Return the models that answer, as Triton lists them."""
    return json_response([{"name": name, "state": "READY"} for name in list_models(request)])


@router.get("")
async def server(request: Request) -> Response:
    """Return what this server is."""
    return json_response({"name": "almanac", "version": request.app.version, "extensions": ["binary_tensor_data"]})


@router.get("/health/live")
async def live() -> Response:
    """Return 200 while the process can answer at all."""
    return json_response({"live": True})


@router.get("/health/ready")
async def ready(request: Request) -> Response:
    """Return 200 if a request to the default model is answered."""
    if (error := service_of(request).catalog.readiness_error()) is not None:
        raise error
    return json_response({"ready": True})
