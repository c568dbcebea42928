"""Request: decodes the body of a forecast request, and parses its options; entries.py parses its series.

Nearly every body is what service/forecasting/schema.py describes, and is decoded into its types in one pass. Any other body
is decoded without types and checked field by field, because one wrong series must not fail its batch: this takes longer, and
finds the first error of each series.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from pydantic import ValidationError

from models.calendar.zoned_grid import Frequency
from models.errors import AlmanacError, HorizonInvalid, LevelInvalid
from models.forecasting.sampling import Sampling, read_sampling
from models.irregular.bounds import read_bounds
from models.irregular.grid_placement import MISSING
from models.safeguards.plausible import OUTLIERS
from models.series import Series
from service.errors import BatchTooLarge, FieldMissing
from service.forecasting.schema import ForecastRequest, plain_bounds
from service.json_input import (
    SeriesFault,
    describe_value,
    invalid_field,
    is_repeating,
    parse_object,
    reject_unknown_fields,
)
from service.settings import Settings

REQUEST_FIELDS = tuple(ForecastRequest.model_fields)
DEFAULT_LEVELS = (80.0,)
MAX_LEVELS = 99

Levels = tuple[float, ...] | None
Entries = list[Any]
"""The series of a request: all `SeriesRequest`, or JSON data of any kind."""


@dataclass(frozen=True, slots=True)
class ForecastQuery:
    """A parsed forecast request.

    Attributes:
        series: The valid series, each with its index in the request.
        horizon: Steps to forecast.
        levels: Central intervals, in per cent.
        quantiles: Quantile levels in addition to the trained ones.
        model: `name`, `name@alias`, `name/version` or `starter`, or None.
        faults: The errors of the other series.
        unnamed: Indices of the series without an id: no observation belongs to them.
        record: Whether the forecasts are stored and scored.
        from_store: Whether the series are stored observations, not values of the request.
        common: `bounds` of the request, and `missing` for series that have none of their own.
        outliers: `clip` or `mask`: what the model reads in place of implausible values.
        mean: Whether the forecasts have a mean.
        sampling: Sample paths and sums that the forecasts have; None for neither.
        segments: Segments of the series that were sent with one, by their indices.
    """

    series: tuple[tuple[int, Series], ...]
    horizon: int
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    model: str | None
    faults: tuple[SeriesFault, ...] = field(default=())
    unnamed: frozenset[int] = frozenset()
    record: bool = True
    from_store: bool = False
    common: Mapping[str, Any] = field(default_factory=dict)
    outliers: str = OUTLIERS[0]
    mean: bool = False
    sampling: Sampling | None = None
    segments: Mapping[int, str] = field(default_factory=dict)

    def with_series(
        self,
        series: tuple[tuple[int, Series], ...],
        faults: tuple[SeriesFault, ...],
        unnamed: frozenset[int],
        segments: Mapping[int, str],
    ) -> Self:
        """Return the query with its series; `dataclasses.replace` takes thrice as long."""
        return type(self)(
            series,
            self.horizon,
            self.levels,
            self.quantiles,
            self.model,
            faults,
            unnamed,
            self.record,
            self.from_store,
            self.common,
            self.outliers,
            self.mean,
            self.sampling,
            segments,
        )

    def frequencies(self) -> set[Frequency]:
        """Return the frequencies of the series that have one."""
        return {one.frequency for _, one in self.series if one.frequency is not None}


def parse_envelope(body: bytes, settings: Settings, *, horizon: int | None = None) -> tuple[ForecastQuery, Entries]:
    """Return the query without series, and the series as sent; raises as `parse_request`.

    `horizon` is that of a request without one; by default it is required.
    """
    return parse_typed(body, settings) or parse_untyped(body, settings, horizon=horizon)


def parse_typed(body: bytes, settings: Settings) -> tuple[ForecastQuery, Entries] | None:
    """Return the same of a body that is what the schema describes, as nearly every one is; None for any other."""
    sent = _decode(body)
    if sent is None:
        return None
    try:
        query = _typed_options(sent, settings.max_horizon)
        check_entries(sent.series, query.horizon, settings)
    except AlmanacError:
        return None  # found again by `parse_untyped`, with the values as they were sent
    return query, sent.series


def parse_untyped(body: bytes, settings: Settings, *, horizon: int | None = None) -> tuple[ForecastQuery, Entries]:
    """Return the same of any body, checked field by field, which takes many times longer."""
    request = _envelope(body, horizon)
    query = parse_options(request, settings.max_horizon)
    return query, _entries(request, query.horizon, settings)


def _decode(body: bytes) -> ForecastRequest | None:
    """Return a body as typed data, or None if it must be checked field by field."""
    try:
        sent = ForecastRequest.model_validate_json(body, strict=True)
    except ValidationError:
        return None
    return None if is_repeating(body, _count_names(sent)) else sent


def _typed_options(sent: ForecastRequest, max_horizon: int) -> ForecastQuery:
    """Return `parse_options` of typed data; most clients send the same options again and again."""
    if sent.bounds is not None:
        return parse_options(sent.__dict__ | {"bounds": plain_bounds(sent.bounds)}, max_horizon)
    return _known_options(
        max_horizon,
        sent.horizon,
        None if sent.levels is None else tuple(sent.levels),
        None if sent.quantiles is None else tuple(sent.quantiles),
        sent.model,
        sent.record,
        sent.missing,
        sent.outliers,
        sent.mean,
        sent.paths,
        sent.seed,
        sums=None if sent.sums is None else tuple(sent.sums),
    )


@lru_cache(maxsize=256, typed=True)
def _known_options(
    max_horizon: int,
    horizon: int,
    levels: Levels,
    quantiles: Levels,
    *options: str | float | None,
    sums: tuple[str, ...] | None,
) -> ForecastQuery:
    names = ("model", "record", "missing", "outliers", "mean", "paths", "seed")
    sent = (("levels", levels), ("quantiles", quantiles), ("sums", sums))
    lists = {name: None if one is None else list(one) for name, one in sent}
    return parse_options({"horizon": horizon, **lists, **dict(zip(names, options, strict=True))}, max_horizon)


def _count_names(sent: ForecastRequest) -> int:
    """Return how many names all objects of a request have."""
    count = len(sent.model_fields_set) + len(plain_bounds(sent.bounds) or ())
    for one in sent.series:
        count += len(one.model_fields_set)
        if one.bounds is not None or one.past_covariates is not None or one.future_covariates is not None:
            count += sum(
                len(part or ()) for part in (plain_bounds(one.bounds), one.past_covariates, one.future_covariates)
            )
    return count


def parse_options(request: Mapping[str, Any], max_horizon: int) -> ForecastQuery:
    """Return the query without series; raises HorizonInvalid, LevelInvalid, SamplingInvalid or FieldInvalid."""
    horizon = _horizon(request, max_horizon)
    levels = _levels(request, "levels", 100.0, DEFAULT_LEVELS)
    quantiles = _levels(request, "quantiles", 1.0, ())
    model = request.get("model")
    if not (model is None or (isinstance(model, str) and model)):
        raise invalid_field("model", model, "Send a name such as `temperatures`.")
    record = request.get("record")
    if not isinstance(record, bool | None):
        raise invalid_field("record", record, "Send true or false; false: the forecasts are neither stored nor scored.")
    mean = request.get("mean")
    if not isinstance(mean, bool | None):
        raise invalid_field("mean", mean, "Send true or false; true: each forecast has a `mean` beside the median.")
    outliers = request.get("outliers") or OUTLIERS[0]
    check_choice("outliers", outliers, OUTLIERS)
    common = {name: request[name] for name in ("bounds", "missing") if request.get(name) is not None}
    check_choice("missing", common.get("missing", MISSING[0]), MISSING)
    read_bounds(common.get("bounds"))
    return ForecastQuery(
        (),
        horizon,
        levels,
        quantiles,
        model,
        record=record is not False,
        common=common,
        outliers=outliers,
        mean=mean is True,
        sampling=read_sampling(request.get("paths"), request.get("seed"), request.get("sums"), horizon),
    )


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise FieldInvalid if a value is none of the choices."""
    if value not in choices:
        raise invalid_field(name, value, f"Send {' or '.join(f'`{choice}`' for choice in choices)}.")


def _envelope(body: bytes, horizon: int | None) -> Mapping[str, Any]:
    request = parse_object(body, 'Send {"series": [{"values": [...]}], "horizon": 12}.', allow_inf_nan=True)
    reject_unknown_fields(request, REQUEST_FIELDS)
    if request.get("horizon") is None and horizon is not None:
        request = {**request, "horizon": horizon}
    for name in ("horizon", "series"):
        if request.get(name) is None:
            raise FieldMissing(f"`{name}` is missing.", pointer=f"/{name}", hint="It is required.")
    return request


def _horizon(request: Mapping[str, Any], limit: int) -> int:
    horizon = request["horizon"]
    if isinstance(horizon, float) and horizon.is_integer():
        horizon = int(horizon)
    if isinstance(horizon, bool) or not isinstance(horizon, int) or not 1 <= horizon <= limit:
        raise HorizonInvalid(
            f"`horizon` is {describe_value(request['horizon'])}.",
            pointer="/horizon",
            hint=f"Send a whole number from 1 to {limit} (ALMANAC_MAX_HORIZON).",
        )
    return horizon


def _levels(request: Mapping[str, Any], name: str, above: float, default: tuple[float, ...]) -> tuple[float, ...]:
    """Return the levels without repetitions; each must lie between 0 and `above`, both excluded."""
    levels = request.get(name)
    if levels is None:
        return default
    if not isinstance(levels, list) or len(levels) > MAX_LEVELS:
        raise LevelInvalid(
            f"`{name}` is {describe_value(levels)}.",
            pointer=f"/{name}",
            hint=f"Send a list of at most {MAX_LEVELS} numbers.",
        )
    for index, level in enumerate(levels):
        if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < above:
            raise LevelInvalid(
                f"`{name}` contains {describe_value(level)}.",
                pointer=f"/{name}/{index}",
                hint=f"Send numbers between 0 and {above:g}, both excluded.",
            )
    return tuple(dict.fromkeys(float(level) for level in levels))


def _entries(request: Mapping[str, Any], horizon: int, settings: Settings) -> Entries:
    """Return the series as sent; raises FieldInvalid, BatchTooLarge."""
    entries = request["series"]
    if not isinstance(entries, list) or not entries:
        raise invalid_field("series", entries, 'Send a list such as [{"values": [1.5, 2, null]}].')
    check_entries(entries, horizon, settings)
    return entries


def check_entries(entries: Sequence[Any], horizon: int, settings: Settings) -> None:
    """Raise FieldMissing or BatchTooLarge if there are no series, or too many for this horizon."""
    if not entries:
        raise FieldMissing("The body has no series.", pointer="/series", hint="Send at least one.")
    if len(entries) > settings.max_series:
        raise BatchTooLarge(
            f"The request has {len(entries)} series.",
            pointer="/series",
            hint=f"Send at most {settings.max_series} at a time (ALMANAC_MAX_SERIES).",
        )
    if len(entries) * horizon > settings.max_steps:
        raise BatchTooLarge(
            f"{len(entries)} series of {horizon} steps are {len(entries) * horizon} steps.",
            pointer="/series",
            hint=f"Ask for at most {settings.max_steps} steps at a time (ALMANAC_MAX_STEPS).",
        )
