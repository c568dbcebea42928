"""Request: parses the body of a forecast request into valid series and one error for each other series.

Parsed by hand, because one wrong series must not fail its batch. The OpenAPI schemas are in
service/api/schemas/forecast.py; a test compares the two.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from models.calendar.on_calendar import Frequency
from models.errors import AlmanacError, HorizonInvalid, LevelInvalid, SeriesDuplicated, SeriesTooLong
from models.irregular.bounds import read_bounds, tighter
from models.irregular.placement import MISSING
from models.safeguards.plausible import OUTLIERS
from models.series import Series
from service.errors import BatchTooLarge, FieldInvalid, FieldMissing
from service.json_input import SeriesFault, describe_value, fault_of, invalid_field, parse_object, reject_unknown_fields
from service.settings import Settings

OPTION_FIELDS = ("horizon", "levels", "quantiles", "model", "bounds", "missing", "outliers", "record")
REQUEST_FIELDS = ("series", *OPTION_FIELDS)
TEXT_FIELDS = ("id", "start", "frequency", "timezone", "missing")
SERIES_FIELDS = (*TEXT_FIELDS, "values", "timestamps", "past_covariates", "future_covariates", "bounds")
DEFAULT_LEVELS = (80.0,)
MAX_LEVELS = 99
MAX_ID_LENGTH = 256


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

    def frequencies(self) -> set[Frequency]:
        """Return the frequencies of the series that have one."""
        return {one.frequency for _, one in self.series if one.frequency is not None}


def parse_request(body: bytes, settings: Settings) -> ForecastQuery:
    """Return the query in a body; an error within one series becomes its fault.

    Raises:
        JsonInvalid: If the body is not JSON.
        FieldMissing, FieldUnknown, FieldInvalid, HorizonInvalid, LevelInvalid, BatchTooLarge: If the request itself is wrong.
    """
    return parse_series(*parse_envelope(body, settings), settings)


def parse_envelope(body: bytes, settings: Settings) -> tuple[ForecastQuery, list[Any]]:
    """Return the query without series, and the series as sent; raises as `parse_request`."""
    request = _envelope(body)
    query = parse_options(request, settings.max_horizon)
    return query, _entries(request, query.horizon, settings)


def parse_series(query: ForecastQuery, entries: list[Any], settings: Settings) -> ForecastQuery:
    """Return the query with its series; most of the time of a request is spent here."""
    series, faults = _batch(entries, settings.max_points, query)
    unnamed = frozenset(index for index, entry in enumerate(entries) if isinstance(entry, dict) and not entry.get("id"))
    return replace(query, series=series, faults=faults, unnamed=unnamed)


def parse_options(request: Mapping[str, Any], max_horizon: int) -> ForecastQuery:
    """Return the query without series; raises HorizonInvalid, LevelInvalid or FieldInvalid."""
    horizon = _horizon(request, max_horizon)
    levels = _levels(request, "levels", 100.0, DEFAULT_LEVELS)
    quantiles = _levels(request, "quantiles", 1.0, ())
    model = request.get("model")
    if not (model is None or (isinstance(model, str) and model)):
        raise invalid_field("model", model, "Send a name such as `temperatures`.")
    record = request.get("record")
    if not isinstance(record, bool | None):
        raise invalid_field("record", record, "Send true or false; false: the forecasts are neither stored nor scored.")
    outliers = request.get("outliers") or OUTLIERS[0]
    _check_choice("outliers", outliers, OUTLIERS)
    common = {name: request[name] for name in ("bounds", "missing") if request.get(name) is not None}
    _check_choice("missing", common.get("missing", MISSING[0]), MISSING)
    read_bounds(common.get("bounds"))
    return ForecastQuery(
        (), horizon, levels, quantiles, model, record=record is not False, common=common, outliers=outliers
    )


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise invalid_field(name, value, f"Send {' or '.join(f'`{choice}`' for choice in choices)}.")


def _envelope(body: bytes) -> Mapping[str, Any]:
    request = parse_object(body, 'Send {"series": [{"values": [...]}], "horizon": 12}.', allow_inf_nan=True)
    reject_unknown_fields(request, REQUEST_FIELDS)
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


def _entries(request: Mapping[str, Any], horizon: int, settings: Settings) -> list[Any]:
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


def _batch(
    entries: list[Any], max_points: int, query: ForecastQuery
) -> tuple[tuple[tuple[int, Series], ...], tuple[SeriesFault, ...]]:
    """Return the valid series with their indices, and the faults of the others."""
    series: list[tuple[int, Series]] = []
    faults: list[SeriesFault] = []
    given = {one for one in map(_given_id, entries) if one is not None}
    taken: set[str] = set()
    for index, entry in enumerate(entries):
        series_id = _id(entry, index, given)
        try:
            if series_id in taken:
                raise SeriesDuplicated(
                    f"The id {describe_value(series_id)} occurs twice.",
                    pointer="/id",
                    hint="Give each series its own id.",
                )
            taken.add(series_id)
            series.append((index, _series(entry, series_id, max_points, query)))
        except AlmanacError as error:
            faults.append(fault_of(index, series_id, error))
    return tuple(series), tuple(faults)


def _given_id(entry: object) -> str | None:
    """Return the id that a series was sent with, None if it has no valid one."""
    series_id = entry.get("id") if isinstance(entry, dict) else None
    return series_id if isinstance(series_id, str) and len(series_id) <= MAX_ID_LENGTH else None


def _id(entry: object, index: int, given: AbstractSet[str]) -> str:
    """Return a series' id; without a valid one its index, with as many `#` before it as no given id has."""
    series_id = _given_id(entry)
    if series_id is not None:
        return series_id
    name = str(index)
    while name in given:
        name = f"#{name}"
    return name


def _series(entry: object, series_id: str, max_points: int, query: ForecastQuery) -> Series:
    """Return one series; raises an AlmanacError whose pointer is relative to the series."""
    if not isinstance(entry, dict):
        raise FieldInvalid(
            f"A series is {describe_value(entry)}; it must be an object.", hint='Send {"values": [1.5, 2, null]}.'
        )
    reject_unknown_fields(entry, SERIES_FIELDS)
    for name in TEXT_FIELDS:
        if not isinstance(entry.get(name), str | None):
            raise invalid_field(name, entry[name], "Send text, or leave it out.")
    if len(entry.get("id") or "") > MAX_ID_LENGTH:
        raise FieldInvalid(
            f"The id has {len(entry['id'])} characters.", pointer="/id", hint=f"Send at most {MAX_ID_LENGTH}."
        )
    missing = entry.get("missing") or query.common.get("missing", MISSING[0])
    _check_choice("missing", missing, MISSING)
    series = Series.make(
        _values(entry, max_points),
        id=series_id,
        start=entry.get("start"),
        frequency=entry.get("frequency"),
        timestamps=_timestamps(entry),
        timezone=entry.get("timezone"),
        past_covariates=_covariates(entry, "past_covariates"),
        future_covariates=_covariates(entry, "future_covariates"),
        horizon=query.horizon,
        missing=missing,
        bounds=entry.get("bounds"),
    )
    common = query.common.get("bounds")
    return series if common is None else replace(series, bounds=tighter(series.bounds, read_bounds(common)))


def _values(entry: Mapping[str, Any], max_points: int) -> list[Any]:
    values = entry.get("values")
    if values is None:
        raise FieldMissing("`values` is missing.", pointer="/values", hint="Send a list of numbers; null is a gap.")
    if not isinstance(values, list):
        raise invalid_field("values", values, "Send a list of numbers; null is a gap.")
    if len(values) > max_points:
        raise SeriesTooLong(
            f"The series has {len(values)} values.",
            pointer="/values",
            hint=f"Send the newest {max_points} at most (ALMANAC_MAX_POINTS).",
        )
    return values


def _covariates(entry: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    """Return the covariates as sent, by name, or None."""
    columns = entry.get(kind)
    if columns is None or isinstance(columns, dict):
        return columns
    raise invalid_field(kind, columns, 'Send an object such as {"price": [1.5, 2, null]}.')


def _timestamps(entry: Mapping[str, Any]) -> list[str] | None:
    timestamps = entry.get("timestamps")
    if timestamps is None:
        return None
    if not isinstance(timestamps, list):
        raise invalid_field("timestamps", timestamps, "Send a list of dates.")
    for index, timestamp in enumerate(timestamps):
        if not isinstance(timestamp, str):
            raise FieldInvalid(
                f"A timestamp is {describe_value(timestamp)}.",
                pointer=f"/timestamps/{index}",
                hint="Send text such as `1939-01`.",
            )
    return timestamps
