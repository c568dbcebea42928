"""Entries: the series of a forecast request, each parsed into a series or the error that refuses it."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from models.errors import AlmanacError, SeriesDuplicated, SeriesTooLong
from models.ids import MAX_ID_LENGTH, id_hint, is_id, plain_id
from models.irregular.bounds import read_bounds, tighter
from models.irregular.grid_placement import MISSING
from models.series import Series
from service.errors import FieldInvalid, FieldMissing
from service.forecasting.request import Entries, ForecastQuery, check_choice, parse_envelope
from service.forecasting.schema import SeriesRequest, plain_bounds
from service.json_input import SeriesFault, describe_value, fault_of, invalid_field, reject_unknown_fields
from service.settings import Settings

SERIES_FIELDS = tuple(SeriesRequest.model_fields)
TEXT_FIELDS = ("id", "start", "frequency", "timezone", "missing", "segment")


def parse_request(body: bytes, settings: Settings) -> ForecastQuery:
    """Return the query in a body; an error within one series becomes its fault.

    Raises:
        JsonInvalid: If the body is not JSON.
        FieldMissing, FieldUnknown, FieldInvalid, HorizonInvalid, LevelInvalid, BatchTooLarge: If the request itself is wrong.
    """
    return parse_series(*parse_envelope(body, settings), settings)


def parse_series(query: ForecastQuery, entries: Entries, settings: Settings) -> ForecastQuery:
    """Return the query with its series; `entries` is empty then. Most of the time of a request is spent here."""
    typed = isinstance(entries[0], SeriesRequest)
    given = given_ids(one.__dict__ for one in entries) if typed else given_ids(entries)
    fields = _take_typed(entries) if typed else _take(entries)
    return _batch(fields, settings.max_points, query, given, typed=typed)


def _take(entries: Entries) -> Iterator[Any]:
    """Yield the entries, each taken out of the list: so it is freed in the thread that parses it, and before the next one."""
    entries.reverse()
    while entries:
        yield entries.pop()


def _take_typed(entries: Entries) -> Iterator[dict[str, Any]]:
    for one in _take(entries):
        yield one.__dict__ | {"bounds": plain_bounds(one.bounds)}


def parse_one_by_one(
    query: ForecastQuery, entries: Iterable[Any], given: AbstractSet[str], settings: Settings
) -> ForecastQuery:
    """Return the query with its series of JSON data, whose ids are `given`; none of the entries is kept."""
    return _batch(entries, settings.max_points, query, given, typed=False)


def _batch(
    entries: Iterable[Any], max_points: int, query: ForecastQuery, given: AbstractSet[str], *, typed: bool
) -> ForecastQuery:
    series: list[tuple[int, Series]] = []
    faults: list[SeriesFault] = []
    unnamed: set[int] = set()
    taken: set[str] = set()
    segments: dict[int, str] = {}
    for index, entry in enumerate(entries):
        series_id = _given_id(entry)
        if series_id is None:
            unnamed.add(index)
            series_id = _free_id(index, given)
        try:
            if not is_id(series_id):
                raise FieldInvalid(f"The id is {describe_value(series_id)}.", pointer="/id", hint=id_hint(series_id))
            if series_id in taken:
                raise SeriesDuplicated(
                    f"The id {describe_value(series_id)} occurs twice.",
                    pointer="/id",
                    hint="Give each series its own id.",
                )
            taken.add(series_id)
            series.append((index, _series(entry, series_id, max_points, query, typed=typed)))
            if (segment := entry.get("segment")) is not None:
                segments[index] = segment
        except AlmanacError as error:
            faults.append(fault_of(index, series_id, error))
    return query.with_series(tuple(series), tuple(faults), frozenset(unnamed), segments)


def given_ids(entries: Iterable[object]) -> set[str]:
    """Return the valid ids that series were sent with."""
    return {one for one in map(_given_id, entries) if one is not None}


def _given_id(entry: object) -> str | None:
    """Return the id that a series was sent with, None if it has no valid one."""
    series_id = entry.get("id") if isinstance(entry, dict) else None
    return plain_id(series_id) or None if isinstance(series_id, str) and len(series_id) <= MAX_ID_LENGTH else None


def _free_id(index: int, given: AbstractSet[str]) -> str:
    """Return the id of a series that was sent without a valid one: its index, with as many `#` before it as no given id has."""
    name = str(index)
    while name in given:
        name = f"#{name}"
    return name


def _series(entry: Any, series_id: str, max_points: int, query: ForecastQuery, *, typed: bool) -> Series:  # noqa: ANN401
    """Return one series; raises an AlmanacError whose pointer is relative to the series."""
    if not typed:
        _check_entry(entry)
    missing = entry.get("missing") or query.common.get("missing", MISSING[0])
    check_choice("missing", missing, MISSING)
    series = Series.make(
        _limited_values(entry["values"], max_points),
        id=series_id,
        start=entry.get("start"),
        frequency=entry.get("frequency"),
        timestamps=entry.get("timestamps"),
        timezone=entry.get("timezone"),
        past_covariates=entry.get("past_covariates"),
        future_covariates=entry.get("future_covariates"),
        horizon=query.horizon,
        missing=missing,
        bounds=entry.get("bounds"),
    )
    common = query.common.get("bounds")
    return series if common is None else replace(series, bounds=tighter(series.bounds, read_bounds(common)))


def _check_entry(entry: object) -> None:
    """Raise FieldInvalid, FieldMissing or FieldUnknown if a series is not what its schema describes, up to its values."""
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
    values = entry.get("values")
    if values is None:
        raise FieldMissing("`values` is missing.", pointer="/values", hint="Send a list of numbers; null is a gap.")
    if not isinstance(values, list):
        raise invalid_field("values", values, "Send a list of numbers; null is a gap.")
    _check_timestamps(entry.get("timestamps"))
    for kind in ("past_covariates", "future_covariates"):
        if not isinstance(entry.get(kind), dict | None):
            raise invalid_field(kind, entry[kind], 'Send an object such as {"price": [1.5, 2, null]}.')


def _limited_values(values: list[Any], max_points: int) -> list[Any]:
    if len(values) > max_points:
        raise SeriesTooLong(
            f"The series has {len(values)} values.",
            pointer="/values",
            hint=f"Send the newest {max_points} at most (ALMANAC_MAX_POINTS).",
        )
    return values


def _check_timestamps(timestamps: object) -> None:
    if timestamps is None:
        return
    if not isinstance(timestamps, list):
        raise invalid_field("timestamps", timestamps, "Send a list of dates.")
    for index, timestamp in enumerate(timestamps):
        if not isinstance(timestamp, str):
            raise FieldInvalid(
                f"A timestamp is {describe_value(timestamp)}.",
                pointer=f"/timestamps/{index}",
                hint="Send text such as `1939-01`.",
            )
