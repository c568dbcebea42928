"""Requests: bodies that are decoded into types mean what they mean when they are checked field by field."""

from typing import Any

import numpy as np
import orjson
import pytest
from pydantic import ValidationError

from models.errors import AlmanacError
from service.forecasting import request as request_module
from service.forecasting.entries import parse_request
from service.forecasting.request import ForecastQuery
from service.forecasting.schema import ForecastRequest
from service.settings import Settings

ONE = {"values": [1, 2.5, None, 4], "start": "2024-01", "frequency": "MS"}


def body(*series: object, **options: object) -> bytes:
    """Return a request."""
    return orjson.dumps({"series": series, "horizon": 3, **options})


TYPED = [
    body(ONE),
    body(ONE | {"id": "a"}, ONE | {"id": None}, {"values": [7], "id": "1"}),
    body(ONE | {"id": "a"}, ONE | {"id": "a"}),
    body(
        ONE | {"frequency": "never"}, {"values": [1, 2], "timestamps": ["2024-01-01", "2024-01-02"], "timezone": "UTC"}
    ),
    body(
        ONE, levels=[80, 95.5], quantiles=[0.25], model="a@b", record=False, missing="zero", outliers="mask", mean=True
    ),
    body(ONE | {"bounds": {"minimum": 2}}, bounds={"minimum": 1, "maximum": 9}, missing=None),
    body({"values": [1.0], "past_covariates": {"x": [1, None]}, "future_covariates": {"y": [1, 2, 3]}}),
    body(ONE, paths=2, seed=3, sums=["1-3", "horizon"]),
    body({"values": [None]}),
    body(ONE).replace(b"2.5", b"NaN"),
]
UNTYPED = [
    body(ONE | {"values": []}),
    body(ONE, {"values": [True]}, {"values": "1"}, 7, {"valuse": [1]}, ONE | {"id": 5}),
    body(ONE | {"id": "x" * 257}, ONE | {"timestamps": [1]}, ONE | {"missing": "maybe"}),
    body(ONE).replace(b":3}", b":3.0}"),
]
REFUSED = [
    body(ONE, levels=[101]),
    body(ONE, horizon=0),
    body(ONE, model=""),
    body(ONE, mean=1),
    body(ONE, paths=1001),
    body(ONE, seed="x"),
    body(ONE, sums=["1-4"]),
    body(ONE).replace(b'"horizon":3', b'"horizon":3,"horizon":4'),
    body(ONE).replace(b'"start"', b'"values":[2],"start"'),
    body(ONE) + b"}",
]


def describe(query: ForecastQuery) -> Any:  # noqa: ANN401
    """Return what a query says, in a form that can be compared."""
    series = [
        (
            *(index, one.id, np.nan_to_num(one.values, nan=-1.0).tolist(), one.start, one.frequency, one.timezone),
            *({name: str(values) for name, values in one.past_covariates.items()}, one.bounds, one.repairs),
        )
        for index, one in query.series
    ]
    options = (
        query.horizon,
        query.levels,
        query.quantiles,
        query.model,
        query.record,
        dict(query.common),
        query.outliers,
        query.mean,
        query.sampling,
    )
    return series, query.faults, query.unnamed, options


@pytest.mark.parametrize("sent", [*TYPED, *UNTYPED])
def test_both_ways_give_the_same_series_and_errors(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, gaps, ids, covariates, bounds, options; and errors of single series."""
    assert (request_module._decode(sent) is not None) == (sent in TYPED)

    found = parse_request(sent, Settings())
    monkeypatch.setattr(request_module, "_decode", lambda _body: None)

    assert describe(found) == describe(parse_request(sent, Settings()))


@pytest.mark.parametrize("sent", REFUSED)
def test_both_ways_refuse_the_same(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same words, values as they were sent, repeated names among them."""
    with pytest.raises(AlmanacError) as found:
        parse_request(sent, Settings())
    monkeypatch.setattr(request_module, "_decode", lambda _body: None)
    with pytest.raises(AlmanacError) as checked:
        parse_request(sent, Settings())

    assert found.value.finding() == checked.value.finding()


@pytest.mark.parametrize(
    "sent",
    [
        {"series": [{}] * 1000},
        {"series": [{"values": ["a"] * 1000}]},
        {"series": [{"values": [1], "timestamps": [1] * 1000}]},
        {"series": [ONE], "levels": ["a"] * 1000},
        {"series": [ONE], "quantiles": ["a"] * 1000},
        {"series": [ONE], "sums": [1] * 1000},
    ],
)
def test_a_list_of_wrong_items_has_one_error(sent: dict[str, Any]) -> None:
    """Millions of them took gigabytes and a minute."""
    with pytest.raises(ValidationError) as caught:
        ForecastRequest.model_validate({"horizon": 3} | sent, strict=True)

    assert caught.value.error_count() == 1
