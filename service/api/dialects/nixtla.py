"""Nixtla: the API that NixtlaClient of the package `nixtla` calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from models.calendar.zoned_grid import parse_frequency
from models.forecast import level_name
from models.series import Series
from service.api.dialects.answering import (
    DialectUnsupported,
    answer,
    bounds_of,
    decode_fields,
    first_steps,
    select_named,
)
from service.api.dialects.nixtla_fields import (
    NixtlaRequest,
    frequency_of,
    model_of,
    not_numeric,
    read_query,
    refuse_unsupported,
)
from service.api.http import json_response
from service.api.state import service_of
from service.errors import FieldInvalid, FieldMissing, ModelNotFound
from service.forecasting.request import ForecastQuery
from service.forecasting.response import ForecastResult
from service.forecasting.rolling import Window, last_cutoffs, roll, whole_cutoffs
from service.json_input import describe_value
from service.selector import SelectedModel
from service.settings import Settings

router = APIRouter(include_in_schema=False)

ANOMALY_LEVEL = 99
UNMETERED = 2**31 - 1
LARGEST_SHARE = 4
"""With `level` the client sends three times `input_size` and a horizon: together no more than a series may have."""


@dataclass(slots=True)
class Forecasting:
    """POST /v2/forecast."""

    sent: NixtlaRequest

    @property
    def model(self) -> str | None:
        """Return the model's name, or None for the default."""
        return model_of(self.sent.model)

    @property
    def levels(self) -> list[float]:
        """Return the levels that the client asked for."""
        sent = self.sent.level
        return [] if sent is None else sent if isinstance(sent, list) else [sent]

    def read(self, selected: SelectedModel, settings: Settings) -> ForecastQuery:
        """Return the query of all series."""
        if self.sent.h is None:
            raise FieldMissing("`h` is missing.", pointer="/h", hint="Send the number of steps.")
        return read_query(self.sent, selected, settings)

    def plan(self, query: ForecastQuery, _selected: SelectedModel, _settings: Settings) -> ForecastQuery:
        """Return the query as it is."""
        return query

    def write(self, result: ForecastResult) -> Response:
        """Return the medians and the intervals, flat."""
        horizon = self.sent.h
        return json_response({**self.numbers(result, int(horizon)), "weights_x": None, "feature_contributions": None})

    def numbers(self, result: ForecastResult, horizon: int) -> dict[str, Any]:
        """Return `mean`, which is the median as everywhere in Almanac, and `intervals` of the forecasts, flat."""
        forecasts = [forecast for _, _, forecast in result.rows]
        sides: dict[str, Any] = {}
        for level in self.levels:
            for place, side in enumerate(("lo", "hi")):
                parts = [first_steps(bounds_of(one, float(level))[place], one, horizon) for one in forecasts]
                sides[f"{side}-{level_name(level)}"] = np.concatenate(parts)
        mean = np.concatenate([first_steps(one.median, one, horizon) for one in forecasts])
        return {"mean": mean, "intervals": sides or None}


@dataclass(slots=True)
class Rolling(Forecasting):
    """POST /v2/cross_validation, and what the others of the past have in common."""

    windows: list[Window] = field(default_factory=list)
    series: Mapping[int, Series] = field(default_factory=dict)
    steps: int = 1

    def read(self, selected: SelectedModel, settings: Settings) -> ForecastQuery:
        """Return the query of the whole series."""
        query = read_query(self.sent, selected, settings)
        self.steps = query.horizon
        return query

    def plan(self, query: ForecastQuery, selected: SelectedModel, settings: Settings) -> ForecastQuery:
        """Return the query of all windows."""
        self.series = dict(query.series)
        if self.is_whole:
            self.steps = _whole_step(query, selected)
        known = selected.model.forecaster.spec.future_covariates
        query, self.windows = roll(query, self.steps, self.cutoffs, settings, known)
        return query

    @property
    def is_whole(self) -> bool:
        """Return whether as much of the history is forecast as can be."""
        return self.sent.full_history

    def cutoffs(self, series: Series) -> Sequence[int]:
        """Return the cutoffs of a series' windows."""
        if self.is_whole:
            return whole_cutoffs(series, self.steps)
        return last_cutoffs(series, self.steps, self.sent.n_windows, self.sent.step_size or self.steps)

    def write(self, result: ForecastResult) -> Response:
        """Return what was forecast, flat, and where in `y` it is."""
        return json_response({**self.numbers(result, self.steps), **self.places(), "weights_x": None})

    def places(self) -> dict[str, Any]:
        """Return the index in `y` of each step, and how many of them each series has."""
        starts = np.cumsum([0, *self.sent.series.sizes])
        idxs = [starts[one.index] + one.cutoff + np.arange(self.steps) for one in self.windows]
        counts = np.bincount([one.index for one in self.windows], minlength=len(self.sent.series.sizes))
        return {"idxs": np.concatenate(idxs), "sizes": counts * self.steps}


@dataclass(slots=True)
class Anomalies(Rolling):
    """POST /v2/anomaly_detection: every value beside its own rolling forecast."""

    def __post_init__(self) -> None:
        """Take the level that Nixtla documents if there is none."""
        if self.sent.level in (None, []):
            self.sent.level = ANOMALY_LEVEL

    @property
    def is_whole(self) -> bool:
        """Return that it is."""
        return True

    def write(self, result: ForecastResult) -> Response:
        """Return what was forecast, which values lie outside the interval, and by how many standard deviations."""
        numbers, places = self.numbers(result, self.steps), self.places()
        truth = np.array(self.sent.series.y, dtype=np.float64)[places["idxs"]]
        level = max(self.levels)
        lower, upper = (numbers["intervals"][f"{side}-{level_name(level)}"] for side in ("lo", "hi"))
        middle = numbers["mean"]
        half = np.where(truth < middle, middle - lower, upper - middle)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = (truth - middle) * NormalDist().inv_cdf(0.5 + level / 200) / half
        found = {
            "anomaly": (truth < lower) | (truth > upper),
            "anomaly_score": np.where(np.isfinite(scores), scores, 0),
        }
        return json_response({**numbers, **places, **found, "weights_x": None})


@dataclass(slots=True)
class NewestAnomalies(Anomalies):
    """POST /v2/online_anomaly_detection: the newest `detection_size` values beside their rolling forecasts."""

    @property
    def is_whole(self) -> bool:
        """Return that it is not."""
        return False

    def cutoffs(self, series: Series) -> Sequence[int]:
        """Return the cutoffs of windows that follow each other, the last of which ends with the series."""
        windows = -(-(self.sent.detection_size or self.steps) // self.steps)
        return last_cutoffs(series, self.steps, windows, self.steps)


def _whole_step(query: ForecastQuery, selected: SelectedModel) -> int:
    """Return the steps of adjacent windows: a season, but no more than the trained horizon and half of the shortest series."""
    specs = [selected.forecaster_for(series).spec for _, series in query.series]
    shortest = min(len(series) for _, series in query.series)
    season = min(max(spec.season_length, 2) for spec in specs)
    return max(1, min(season, *(spec.horizon for spec in specs), shortest // 2))


KINDS: Mapping[str, type[Forecasting]] = {
    "forecast": Forecasting,
    "cross_validation": Rolling,
    "anomaly_detection": Anomalies,
    "online_anomaly_detection": NewestAnomalies,
}
OTHERS: Mapping[str, str] = {
    "finetune": "Train a model with `almanac train`, and send its name as `model`.",
    "simulate": "POST /forecast makes sample paths: send `paths` there.",
    "explain": "Use `forecast`.",
    "execute_step": "Use `forecast`.",
}


def _decode(kind: type[Forecasting], body: bytes, _request: Request) -> Forecasting:
    try:
        sent = decode_fields(NixtlaRequest, body, "Call it with NixtlaClient.")
    except FieldInvalid as error:
        if error.pointer.startswith("/series/X"):
            raise not_numeric(error) from error
        raise
    refuse_unsupported(sent)
    return kind(sent)


async def _answer(request: Request) -> Response:
    kind = KINDS[request.scope["path"].rpartition("/")[2]]
    return await answer(request, lambda body, request: _decode(kind, body, request))


for _name in KINDS:
    router.post(f"/v2/{_name}")(_answer)


async def _refuse(request: Request) -> Response:
    task = request.scope["path"].removeprefix("/v2/").removesuffix("/async")
    hint = OTHERS.get(task, f"Call `{task}` itself; its response comes at once.")
    raise DialectUnsupported(f"Almanac has no {describe_value(request.scope['path'])}.", hint=hint)


for _name in OTHERS:
    router.post(f"/v2/{_name}")(_refuse)
for _name in (*KINDS, *OTHERS):
    router.post(f"/v2/{_name}/async")(_refuse)


@router.get("/validate_api_key")
async def validate_api_key() -> Response:
    """Return that the key is valid: the middleware refuses any other."""
    return json_response({"detail": "The key is valid, or this service needs none.", "support": "Almanac"})


@router.get("/usage")
async def usage() -> Response:
    """Return that no request is counted against a quota: there is none."""
    free = {"consumed": 0, "limit": UNMETERED}
    return json_response({"minute": free, "month": free})


@router.get("/model_params")
async def model_params(request: Request, model: str = "", freq: str = "MS") -> Response:
    """Return how many values of a series the client sends at most, and the horizon from which on it warns."""
    service = service_of(request)
    frequency = parse_frequency(frequency_of(freq))
    selected = await select_named(service, model_of(model or None), lambda: [frequency])
    forecaster = (selected.starters or {}).get(frequency.name, selected.model.forecaster)
    most = max(1, (service.settings.max_points - service.settings.max_horizon) // LARGEST_SHARE)
    return json_response({"detail": {"input_size": most, "horizon": forecaster.spec.horizon}})


@router.get("/v2/finetuned_models")
async def finetuned_models() -> Response:
    """Return that there are none: trained models are listed at GET /v2/models."""
    return json_response({"finetuned_models": []})


@router.get("/v2/finetuned_models/{model:path}")
@router.delete("/v2/finetuned_models/{model:path}")
async def finetuned_model(model: str) -> Response:
    """Raise ModelNotFound: there is none."""
    raise ModelNotFound(
        f"There is no fine-tuned model {describe_value(model)}.", hint="Send the name of a trained model as `model`."
    )
