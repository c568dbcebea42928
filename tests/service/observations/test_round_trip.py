"""From POST /observations through the export to a training: zone, local dates and values stay the same."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from models.calendar.timestamps import to_local_times
from models.series import Series
from models.tables.options import ReadOptions
from service.cli.observe import _read as read_file
from service.observations.parquet_export import parquet_of
from service.observations.parse import BodyOptions, parse_observations
from service.store.database import Database
from service.store.known_series import find_known_series
from service.store.observations import iterate_pages, upsert
from training.data.series_set import read_series
from training.service_client.observations import keep_frequency

ZONES = (
    "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Moscow", "Asia/Tokyo", "Asia/Kolkata", "Asia/Kathmandu",
    "Asia/Shanghai", "Asia/Dubai", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Apia",
    "Pacific/Honolulu", "America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Bogota",
    "Africa/Johannesburg", "UTC", "Africa/Cairo", "Asia/Beirut", "America/Havana", "America/Santiago",
)  # fmt: skip


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    """Return a database of this test."""
    with closing(Database(f"sqlite:///{shutil.copy(migrated, tmp_path)}")) as database:
        yield database


def post(database: Database, stamps: list[str], frequency: str, zone: str | None) -> None:
    """Store 0, 1, 2, … as the route does, in a series with the name of its zone."""
    rows = [{"id": str(zone), "timestamp": stamp, "value": at} for at, stamp in enumerate(stamps)]
    body = json.dumps({"observations": rows, "frequency": frequency, "timezone": zone}).encode()
    options = BodyOptions("application/json", None, None)
    posted = parse_observations(body, options, len(rows), partial(find_known_series, database))
    assert [fault.finding for fault in posted.faults] == []
    upsert(database, posted.observations, posted.calendars, 0)


def train_on(database: Database, path: Path, frequency: str | None) -> dict[str | None, Series]:
    """Return the series that a training reads from the export, by id."""
    path.write_bytes(b"".join(parquet_of(iterate_pages(database))))
    keep_frequency(path, frequency)
    read = read_series(path, frequency=frequency)
    assert "COLUMNS_IGNORED" not in {one.code for one in read.findings}
    return {one.id: one for one in read.series}


@pytest.mark.parametrize("frequency", ["D", None])
def test_days_keep_their_zone_and_dates(database: Database, tmp_path: Path, frequency: str | None) -> None:
    """Over a change of clocks, also at midnight; whether or not the training knows the frequency, whatever the file's name."""
    days = [str(one) for one in np.arange("2024-02-20", "2024-05-01", dtype="M8[D]")]
    for zone in (*ZONES, None):
        post(database, days, "D", zone)

    found = train_on(database, tmp_path / "export", frequency)

    for zone in (*ZONES, None):
        one = found[str(zone)]
        assert one.timestamps is not None
        local = one.timestamps if zone is None else to_local_times(one.timestamps, zone)
        assert (one.timezone, one.frequency and one.frequency.name) == (zone, "D")
        assert local.astype("M8[D]").astype(str).tolist() == days
        assert one.future_phase(7) == (pd.Timestamp(days[-1]).day_of_week + 1) % 7
        assert one.values.tolist() == list(range(len(days)))


@pytest.mark.parametrize("frequency", ["h", None])
def test_hours_keep_their_zone_and_moments(database: Database, tmp_path: Path, frequency: str | None) -> None:
    """The hour that clocks repeat or skip is neither lost nor doubled, and the season position is local."""
    moments = pd.date_range("2024-03-09T12:00Z", periods=24 * 31, freq="h")
    for zone in ZONES:
        post(database, [one.isoformat() for one in moments], "h", zone)

    found = train_on(database, tmp_path / "export.parquet", frequency)

    for zone in ZONES:
        one = found[zone]
        assert one.timezone == zone
        assert one.timestamps is not None
        assert (one.timestamps == moments.tz_localize(None).to_numpy("M8[us]")).all()
        after = (moments[-1] + pd.Timedelta("1h")).tz_convert(ZoneInfo(zone))
        assert one.future_phase(24) == after.hour
        assert one.values.tolist() == list(range(len(moments)))


def test_months_of_a_zone_keep_their_dates(database: Database, tmp_path: Path) -> None:
    """And series of another frequency are left out."""
    months = [f"2022-{month:02d}-01" for month in range(1, 13)]
    post(database, months, "M", "Asia/Tokyo")
    post(database, [f"2024-01-01T{hour:02d}:00" for hour in range(24)], "h", "UTC")

    found = train_on(database, tmp_path / "export.parquet", "M")

    (one,) = found.values()
    assert one.timestamps is not None
    assert to_local_times(one.timestamps, "Asia/Tokyo").astype("M8[D]").astype(str).tolist() == months
    assert one.future_phase(12) == 0


@pytest.mark.parametrize("frequency", ["D", "h"])
def test_an_export_that_is_posted_again_is_the_same(database: Database, tmp_path: Path, frequency: str) -> None:
    """Its instants are not read as local times, in whatever timezone; neither by the service nor by `almanac observe`."""
    stamps = [str(one) for one in np.arange("2024-10-20", "2024-11-05", dtype=f"M8[{frequency}]")]
    for zone in (*ZONES, None):
        instants = (
            [f"{one}:00Z" for one in stamps]
            if zone and frequency == "h"
            else [f"{one}:00"[:16] if frequency == "h" else one for one in stamps]
        )
        post(database, instants, frequency, zone)
    export = tmp_path / "export.parquet"
    export.write_bytes(b"".join(parquet_of(iterate_pages(database))))

    again = parse_observations(export.read_bytes(), BodyOptions(), 100_000)
    ((part,), errors, _) = read_file(export, ReadOptions())
    sent = parse_observations(part.body, BodyOptions(), 100_000)

    before = {row[:2]: row[2:] for page in iterate_pages(database) for row in zip(*page, strict=True)}
    assert not errors
    for parsed in (again, sent):
        rows, zones = parsed.observations, dict(zip(parsed.observations.names, parsed.calendars, strict=True))
        found = zip(rows.ids(), rows.timestamps, rows.values.tolist(), strict=True)
        assert not parsed.faults
        assert {(name, at): (value, zones[name].timezone) for name, at, value in found} == before


@pytest.mark.parametrize("form", ["parquet", "csv", "csv with Z", "parquet with UTC"])
@pytest.mark.parametrize("unit", ["D", "h", "M"])
def test_an_export_that_another_program_saved_keeps_zones_and_dates(
    database: Database, tmp_path: Path, form: str, unit: str
) -> None:
    """The metadata is lost then; the timezones are found in their column, and said."""
    zones = ("Asia/Tokyo", "Europe/Berlin", "America/Santiago", "UTC")
    days = (
        np.arange("2024-01", "2024-12", dtype=f"M8[{unit}]")
        if unit == "M"
        else np.arange("2024-03-20", "2024-04-20", dtype="M8[D]")
    )
    stamps = [str(one) for one in days]
    if unit == "h":
        stamps = [one.isoformat() for one in pd.date_range("2024-03-20T00:00Z", "2024-04-20T00:00Z", freq="h")]
    for zone in zones:
        post(database, stamps, unit, zone)
    export = tmp_path / "export.parquet"
    export.write_bytes(b"".join(parquet_of(iterate_pages(database))))
    expected = {one.id: one for one in read_series(export).series}
    frame = pd.read_parquet(export)
    if "UTC" in form or "Z" in form:
        frame["ds"] = frame["ds"].dt.tz_localize("UTC")
    if form == "csv with Z":
        frame["ds"] = frame["ds"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")

    saved = tmp_path / f"saved.{form.split(maxsplit=1)[0]}"
    (frame.to_csv if "csv" in form else frame.to_parquet)(saved, index=False)
    read = read_series(saved)

    assert "TIMEZONE_FOUND" in {one.code for one in read.findings}
    assert "COLUMNS_IGNORED" not in {one.code for one in read.findings}
    for one in read.series:
        other = expected[one.id]
        assert (one.timezone, one.frequency, one.start) == (other.timezone, other.frequency, other.start)
        assert one.values.tolist() == other.values.tolist()


def test_days_of_a_zone_that_is_known_are_clear(database: Database, tmp_path: Path) -> None:
    """Neither the export nor one that was saved again needs a timezone: its times are midnights since it has one."""
    post(database, [str(one) for one in np.arange("2024-03-01", "2024-05-01", dtype="M8[D]")], "D", "Europe/Berlin")
    export, saved = tmp_path / "export.parquet", tmp_path / "saved.csv"
    export.write_bytes(b"".join(parquet_of(iterate_pages(database))))
    pd.read_parquet(export).to_csv(saved, index=False)

    for file in (export, saved):
        assert "TIMEZONE_UNCLEAR" not in {one.code for one in read_series(file).findings}


@pytest.mark.parametrize(
    ("stamps", "zones", "said"),
    [
        (["2024-01-01", "2024-01-02", "2024-01-03"], ["Asia/Tokyo"] * 3, "TIMEZONE_DROPPED"),
        (["2024-01-01T05:00", "2024-01-01T06:00", "2024-01-01T07:00"], ["Asia/Tokyo"] * 3, "TIMEZONE_DROPPED"),
        (
            ["2024-01-01T15:00", "2024-01-02T15:00", "2024-01-03T15:00"],
            ["Asia/Tokyo", "UTC", "UTC"],
            "TIMEZONE_DROPPED",
        ),
        (["2024-01-01", "2024-01-02", "2024-01-03"], ["CET or so", "", ""], None),
    ],
)
def test_a_column_of_timezones_beside_local_times_is_not_used(
    tmp_path: Path, stamps: list[str], zones: list[str], said: str | None
) -> None:
    """Nothing tells that they are instants; a finding says so if the names are timezones."""
    pd.DataFrame({"unique_id": "a", "ds": stamps, "y": [1, 2, 3], "timezone": zones}).to_csv(tmp_path / "d.csv")

    read = read_series(tmp_path / "d.csv")

    (one,) = read.series
    codes = {finding.code for finding in read.findings}
    assert one.timezone is None
    assert one.timestamps is not None
    assert one.timestamps.tolist() == pd.to_datetime(stamps).to_pydatetime().tolist()
    assert "COLUMNS_IGNORED" in codes
    assert ("TIMEZONE_DROPPED" in codes) is (said is not None)
