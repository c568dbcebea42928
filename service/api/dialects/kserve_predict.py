"""KServe: the predict API of ordinary models, version 1, with a forecast as a prediction."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.dialects.answering import DialectUnsupported, answer
from service.api.dialects.model_names import find_model, selector_of
from service.api.http import json_response
from service.errors import FieldInvalid, FieldMissing
from service.forecasting.entries import given_ids, parse_one_by_one
from service.forecasting.request import REQUEST_FIELDS, ForecastQuery, check_entries, parse_options
from service.forecasting.response import ForecastResult
from service.json_input import parse_object, reject_unknown_fields
from service.selector import SelectedModel
from service.settings import Settings

router = APIRouter(prefix="/v1", include_in_schema=False)

OPTIONS = tuple(name for name in REQUEST_FIELDS if name not in {"series", "model"})
HINT = 'Send {"instances": [[1.5, 2, null]], "horizon": 12}; an instance may be an object such as an entry of `series` in POST /forecast.'


@dataclass(frozen=True, slots=True)
class Prediction:
    """POST /v1/models/{model}:predict."""

    name: str
    sent: Mapping[str, Any]

    @property
    def model(self) -> str | None:
        """Return the model's name, or None for the default."""
        return selector_of(self.name)

    def read(self, selected: SelectedModel, settings: Settings) -> ForecastQuery:
        """Return the query of all instances; without a horizon it is the trained one."""
        given = {name: self.sent[name] for name in OPTIONS if self.sent.get(name) is not None}
        trained = selected.model.forecaster.spec.horizon
        query = parse_options({"horizon": trained, **given}, settings.max_horizon)
        check_entries(self.sent["instances"], query.horizon, settings)
        return parse_one_by_one(query, self._entries(), given_ids(self._entries()), settings)

    def plan(self, query: ForecastQuery, selected: SelectedModel, _settings: Settings) -> ForecastQuery:
        """Return the query; the starter's trained horizon is that of its frequencies."""
        if self.sent.get("horizon") is not None:
            return query
        return replace(query, horizon=min(selected.forecaster_for(series).spec.horizon for _, series in query.series))

    def write(self, result: ForecastResult) -> Response:
        """Return one prediction for each instance, as the entries of `forecasts` in POST /forecast."""
        return json_response({"predictions": result.body["forecasts"]})

    def _entries(self) -> Iterator[Any]:
        """Yield each instance as an entry of POST /forecast."""
        for instance in self.sent["instances"]:
            yield {"values": instance} if isinstance(instance, list) else instance


def _decode(name: str, body: bytes, _request: Request) -> Prediction:
    sent = parse_object(body, HINT, allow_inf_nan=True)
    reject_unknown_fields(sent, ("instances", *OPTIONS))
    instances = sent.get("instances")
    if instances is None:
        raise FieldMissing("`instances` is missing.", pointer="/instances", hint=HINT)
    if not isinstance(instances, list) or not all(isinstance(one, list | dict) for one in instances):
        raise FieldInvalid("`instances` is no list of series.", pointer="/instances", hint=HINT)
    return Prediction(name, sent)


@router.post("/models/{model}:predict")
async def predict(request: Request, model: str) -> Response:
    """Return the forecasts of all instances."""
    await find_model(request, model)
    return await answer(request, lambda body, request: _decode(model, body, request))


@router.post("/models/{model}:explain")
async def explain(model: str) -> Response:
    """Raise DialectUnsupported: there is no explanation."""
    raise DialectUnsupported("Almanac has no explain.", hint=f"POST /v1/models/{model}:predict has the forecasts.")
