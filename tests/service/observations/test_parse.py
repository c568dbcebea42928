import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import AlmanacError
from models.tables.options import ReadOptions
from service.errors import (
    BatchTooLarge,
    FieldInvalid,
    FieldMissing,
    FieldUnknown,
    FileInvalid,
    JsonInvalid,
    TypeUnsupported,
)
from service.observations.columns import MAX_COLUMNS
from service.observations.parse import BodyOptions, ParsedObservations, parse_observations
from service.store.known_series import NEW_SERIES, KnownSeries
from service.store.observations import Calendar

NONE = BodyOptions()
CSV = BodyOptions("text/csv")
LIMIT = 1_000


def post(observations: object, **members: str) -> ParsedObservations:
    """Return the rows of a JSON body."""
    return parse_observations(orjson.dumps({"observations": observations, **members}), NONE, LIMIT)


def row(**changes: object) -> dict[str, Any]:
    """Return a valid row with changes."""
    return {"id": "a", "timestamp": "2024-01-31", "value": 1.5, **changes}


def parquet(**columns: object) -> bytes:
    """Return a Parquet file of these columns."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def rows_of(parsed: ParsedObservations) -> list[tuple[str, str, float]]:
    """Return the observations as plain rows."""
    rows = parsed.observations
    return list(zip(rows.ids(), [str(one)[:19] for one in rows.timestamps], rows.values.tolist(), strict=True))


def faults_of(parsed: ParsedObservations) -> list[tuple[str, str]]:
    """Return the pointer and the code of each fault."""
    return [(fault.finding.pointer, fault.finding.code) for fault in parsed.faults]


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (orjson.dumps({"observations": [row(), row(id="b", timestamp="2024-01-31T06:30", value=-2)]}), NONE),
        (
            orjson.dumps(
                {"observations": {"unique_id": ["b", "a"], "ds": ["2024-01-31 06:30", "2024-01-31"], "y": [-2, 1.5]}}
            ),
            BodyOptions("application/json"),
        ),
        (b"unique_id,ds,y\na,2024-01-31,1.5\nb,2024-01-31T06:30,-2\n", CSV),
        (
            b'\xef\xbb\xbfy, DS ,other,id\r\n1.5,2024-01-31,x,"a"\r\n\r\n-2,2024-01-31T06:30,,b',
            BodyOptions("text/csv; charset=utf-8"),
        ),
        (b"ds;a;b\n2024-01-31;1.5;\n2024-01-31T06:30;;-2\n", CSV),
        (parquet(id=["a", "b"], ds=["2024-01-31", "2024-01-31T06:30"], y=[1.5, -2]), NONE),
        (
            parquet(
                y=np.array([1.5, -2], dtype=np.float32),
                id=pa.array(["a", "b"]).dictionary_encode(),
                ds=np.array(["2024-01-31", "2024-01-31T06:30"], dtype="M8[ns]"),
            ),
            BodyOptions("application/octet-stream"),
        ),
    ],
    ids=["rows", "columns", "csv", "csv of a spreadsheet", "wide csv", "parquet", "parquet of typed columns"],
)
def test_every_format_has_the_same_rows(body: bytes, options: BodyOptions) -> None:
    """By series and time, whatever the order and the names of the columns."""
    expected = [("a", "2024-01-31T00:00:00", 1.5), ("b", "2024-01-31T06:30:00", -2.0)]

    assert rows_of(parse_observations(body, options, LIMIT)) == expected


def test_equal_rows_are_one_and_contradictory_ones_are_refused() -> None:
    """Neither of two values is stored silently; the error has both."""
    parsed = post([row(value=1), row(id="b"), row(value=7), row(id="b"), row(value=3, timestamp="2024-01-30")])

    assert rows_of(parsed) == [("a", "2024-01-30T00:00:00", 3.0), ("b", "2024-01-31T00:00:00", 1.5)]
    assert faults_of(parsed) == [(f"/observations/{at}/timestamp", "TIMESTAMPS_DUPLICATED") for at in (0, 2)]
    assert "1 (/observations/0/value) and 7 (/observations/2/value)" in parsed.faults[0].finding.detail
    assert (parsed.accepted, parsed.refused) == (3, 2)


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"id": None}, "FIELD_MISSING", "id"),
        ({"id": 7}, "FIELD_INVALID", "id"),
        ({"id": ""}, "FIELD_INVALID", "id"),
        ({"id": " \xa0"}, "FIELD_INVALID", "id"),
        ({"id": "a\0"}, "FIELD_INVALID", "id"),
        ({"id": "a" * 257}, "FIELD_INVALID", "id"),
        ({"id": "a\nb"}, "FIELD_INVALID", "id"),
        ({"id": "a\x85b"}, "FIELD_INVALID", "id"),
        ({"id": "a/forecast"}, "FIELD_INVALID", "id"),
        ({"y": 2}, "FIELD_INVALID", "value"),
        ({"timestamp": "31.1.2024"}, "TIMESTAMP_INVALID", "timestamp"),
        ({"timestamp": "2024-02-30"}, "TIMESTAMP_INVALID", "timestamp"),
        ({"timestamp": "2024-W01-1"}, "TIMESTAMP_INVALID", "timestamp"),
        ({"timestamp": 2024}, "TIMESTAMP_INVALID", "timestamp"),
        ({"timestamp": None}, "FIELD_MISSING", "timestamp"),
        ({"value": "1.5"}, "SERIES_NOT_NUMERIC", "value"),
        ({"value": True}, "SERIES_NOT_NUMERIC", "value"),
        ({"value": [1]}, "SERIES_NOT_NUMERIC", "value"),
        ({"value": 10**400}, "SERIES_INFINITE", "value"),
    ],
)
def test_a_wrong_row_is_refused_and_the_others_are_not(wrong: dict[str, Any], code: str, field: str) -> None:
    """The fault has its code, its pointer and a hint."""
    sent = {"observations": [row(), row(id="bad") | wrong, row(id="c")]}
    text = repr(sent).replace("'", '"').encode() if wrong.get("value") == 10**400 else orjson.dumps(sent)

    parsed = parse_observations(text, NONE, LIMIT)

    assert [one[0] for one in rows_of(parsed)] == ["a", "c"]
    assert faults_of(parsed) == [(f"/observations/1/{field}", code)]
    assert parsed.faults[0].finding.hint
    assert (parsed.accepted, parsed.refused) == (2, 1)


def test_rows_without_a_field_are_refused() -> None:
    """A missing value is an error, null is a gap."""
    parsed = post([5, {"id": "a", "timestamp": "2024-01-31"}, row(value=None)])

    assert [pointer for pointer, _ in faults_of(parsed)] == ["/observations/0/id", "/observations/1/value"]
    assert np.isnan(parsed.observations.values).tolist() == [True]


def test_pointers_follow_the_form_of_the_body() -> None:
    """Into the lists of JSON columns; to the row of a file, also of a wide one."""
    lists = post({"id": ["a", "b"], "timestamp": ["2024-01-31", "never"], "value": [1, 2]})
    wide = parse_observations(b"ds,a,b\n2024-01-30,1,\n2024-01-31,2,cold\n2024-02-01,3\nnever,,4\n", CSV, LIMIT)

    assert faults_of(lists) == [("/observations/timestamp/1", "TIMESTAMP_INVALID")]
    assert [one[:2] for one in rows_of(wide)] == [("a", "2024-01-30T00:00:00"), ("a", "2024-01-31T00:00:00")]
    assert sorted(faults_of(wide)) == [
        ("/observations/1/value", "SERIES_NOT_NUMERIC"),
        ("/observations/2/value", "FIELD_INVALID"),
        ("/observations/3/timestamp", "TIMESTAMP_INVALID"),
    ]


def test_all_faults_are_counted_and_the_first_are_listed() -> None:
    """The response to a body that is wrong throughout stays small."""
    parsed = parse_observations(b"id,ds,y\n" + b"a,never,1\n" * 5_000, CSV, 10_000)

    assert (parsed.refused, len(parsed.faults)) == (5_000, 1_000)


@pytest.mark.parametrize(
    ("body", "options", "error"),
    [
        (b"{", NONE, JsonInvalid),
        (b"[]", NONE, FieldInvalid),
        (b'{"observation": []}', NONE, FieldUnknown),
        (b"{}", NONE, FieldMissing),
        (b'{"observations": []}', NONE, FieldInvalid),
        (b'{"observations": {"id": ["a"], "timestamp": [], "value": []}}', NONE, FieldInvalid),
        (b'{"observations": {"id": "a", "timestamp": "b", "value": "c"}}', NONE, FieldInvalid),
        (b'{"observations": {"id": ["a"], "ds": ["2024"], "y": [1], "value": [2]}}', NONE, FieldInvalid),
        (b'{"observations": [1], "frequency": 5}', NONE, FieldInvalid),
        (b"", CSV, FieldMissing),
        (b"id,ds\na,2024", CSV, FieldMissing),
        (b"id,y\na,1", CSV, FieldMissing),
        (b"store,ds,y\na,2024,1", CSV, FieldMissing),
        (b"store,ds,sold\na,2024,1", CSV, FieldMissing),
        (b"store,ds,sold\n1,2024,1\n2,2024,1", CSV, FieldMissing),
        (b"ds,a,a\n2024,1,2", CSV, FieldInvalid),
        (b"id,ds,y,value\na,2024-01-01,1,2\n", CSV, FieldInvalid),
        (parquet(id=["a"], ds=["2024-01-31"], y=[1.5], value=[2]), NONE, FieldInvalid),
        (b"id,ds,y\n\xff,2024,1", CSV, FileInvalid),
        (b'id,ds,y\n"a,2024,1', CSV, FileInvalid),
        (b"PAR1" + b"\0" * 100, NONE, FileInvalid),
        (b"PAR1", NONE, FileInvalid),
        (b"id,ds,y\n" + b"a,2024,1\n" * (LIMIT + 1), CSV, BatchTooLarge),
        (b"id,ds,y\n" + b"a\n" * 2 * LIMIT, CSV, BatchTooLarge),
        (b"\n\n" + b"," * MAX_COLUMNS + b"\n" + b"1," * MAX_COLUMNS, CSV, FileInvalid),
        (
            b"ds" + b"".join(b",s%d" % number for number in range(LIMIT + 1)) + b"\n2024" + b",1" * (LIMIT + 1),
            CSV,
            BatchTooLarge,
        ),
    ],
)
def test_a_body_that_is_wrong_as_a_whole_is_refused(
    body: bytes, options: BodyOptions, error: type[AlmanacError]
) -> None:
    """A column that is missing, ambiguous or double, a file that is broken, and too many rows."""
    with pytest.raises(error):
        parse_observations(body, options, LIMIT)


def test_a_parquet_file_that_would_fill_the_memory_is_refused() -> None:
    """A few kilobytes that unpack to far more are not unpacked."""
    file = io.BytesIO()
    bomb = pa.table({"id": ["x" * 1_000_000] * 3, "ds": ["2024-01-31"] * 3, "y": [1.0] * 3})
    pq.write_table(bomb, file, compression="zstd", use_dictionary=False)

    assert len(file.getvalue()) < 10_000
    with pytest.raises(FileInvalid):
        parse_observations(file.getvalue(), NONE, LIMIT)


def test_years_of_a_parquet_file_may_be_numbers() -> None:
    """A training reads them as years too."""
    parsed = parse_observations(parquet(id=["a", "a"], year=[2023, 2024], y=[1.0, 2.0]), NONE, LIMIT)

    assert [one[1] for one in rows_of(parsed)] == ["2023-01-01T00:00:00", "2024-01-01T00:00:00"]


def test_timestamps_with_offsets_are_instants() -> None:
    """They are stored in UTC; without a timezone the series has that of the one offset, and the response says so."""
    parsed = post([row(timestamp="2024-01-31T12:00:00+02:00"), row(timestamp="2024-01-31T13:00:00+02:00")])
    stamps = pa.array([datetime(2024, 1, 31, 10, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    again = parse_observations(parquet(id=["a"], ds=stamps, y=[1.0]), NONE, LIMIT)

    assert [one[1] for one in rows_of(parsed)] == ["2024-01-31T10:00:00", "2024-01-31T11:00:00"]
    assert [one[1] for one in rows_of(again)] == ["2024-01-31T10:00:00"]
    assert (parsed.calendars[0].timezone, again.calendars[0].timezone) == ("Etc/GMT-2", "UTC")
    assert [one.detail for one in parsed.repairs["a"]] == [
        "All timestamps have the offset +02:00 and are read as local times of Etc/GMT-2; `timezone` names their timezone."
    ]
    assert not again.repairs


def test_one_offset_becomes_a_timezone_when_it_changes() -> None:
    """A series that was posted in summer alone is of Berlin in autumn; a half hour is India's; a stated zone stays."""
    summer, autumn = "2024-10-26T00:00:00+02:00", "2024-10-28T00:00:00+01:00"
    stored = np.array(["2024-10-24T22:00", "2024-10-25T22:00"], "M8[us]")
    known = {"a": KnownSeries(Calendar("D", "Etc/GMT-2"), stored)}

    one = orjson.dumps({"observations": [row(timestamp=summer), row(timestamp=autumn)]})
    changed = parse_observations(one, NONE, LIMIT, lambda _: known)
    stated = parse_observations(one, BodyOptions(timezone="Europe/Paris"), LIMIT, lambda _: known)

    assert changed.calendars[0].timezone == "Europe/Berlin"
    assert [one.code for one in changed.repairs["a"]] == ["TIMEZONE_FOUND"]
    assert (stated.calendars[0].timezone, dict(stated.repairs)) == ("Europe/Paris", {})
    assert post([row(timestamp="2024-01-31T12:00:00+05:30")]).calendars[0].timezone == "Asia/Kolkata"


def test_a_named_timezone_of_a_file_is_that_of_its_series() -> None:
    """A column of Parquet with a timezone is not of UTC, long or wide."""
    stamps = pa.array([datetime(2024, 1, 31, 10, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin"))

    for body in (parquet(id=["a"], ds=stamps, y=[1.0]), parquet(ds=stamps, a=[1.0])):
        assert parse_observations(body, NONE, LIMIT).calendars[0].timezone == "Europe/Berlin"


MONTHS = [f"{2000 + at // 12}-{at % 12 + 1:02d}-01" for at in range(300)]
DAYS = [str(np.datetime64("2024-01-01") + at) for at in range(366)]


@pytest.mark.parametrize("frequency", ["D", None])
@pytest.mark.parametrize(("stray", "at"), [("2042-01-01", 366), ("2002-01-01", 366)])
def test_a_date_far_from_all_others_is_refused_as_in_files(stray: str, at: int, frequency: str | None) -> None:
    """In one body and after it, with and without a frequency; a stored one is named, and new rows are accepted."""
    rows = [row(timestamp=one) for one in [*DAYS, stray]]
    stored = KnownSeries(Calendar(frequency), np.array([*DAYS[:2], *DAYS[-2:]], "M8[us]"))
    wrong = KnownSeries(Calendar(frequency), np.array([stray], "M8[us]"))

    def send(sent: list[dict[str, Any]], known: KnownSeries) -> ParsedObservations:
        body = orjson.dumps({"observations": sent, "frequency": frequency})
        return parse_observations(body, NONE, LIMIT, lambda _: {"a": known})

    whole, later, after = send(rows, NEW_SERIES), send(rows[-1:], stored), send(rows[:-1], wrong)

    for parsed, place in ((whole, at), (later, 0)):
        assert faults_of(parsed) == [(f"/observations/{place}/timestamp", "TIMESTAMP_INVALID")]
        assert f"{stray} lies " in parsed.faults[0].finding.detail
    assert (after.accepted, after.refused, [one.code for one in after.repairs["a"]]) == (366, 0, ["DATE_STRAY"])


@pytest.mark.parametrize("stored", [MONTHS, []])
def test_a_lone_date_that_may_be_right_is_accepted_and_named(stored: list[str]) -> None:
    """After a gap that a network reads over, and longer than a season; the repair says how to take it back."""
    known = KnownSeries(Calendar("M"), np.array([*stored[:2], *stored[-2:]], "M8[us]"))
    sent = [row(timestamp=one) for one in [*([] if stored else MONTHS), "2043-03-01"]]
    body = orjson.dumps({"observations": sent, "frequency": "M"})

    parsed = parse_observations(body, NONE, LIMIT, lambda _: {"a": known})

    assert (parsed.refused, [one.code for one in parsed.repairs["a"]]) == (0, ["DATE_STRAY"])
    assert "The value at 2043-03-01 lies 18 years after" in parsed.repairs["a"][0].detail
    assert "post null at 2043-03-01" in parsed.repairs["a"][0].detail


def test_changing_offsets_are_those_of_a_timezone() -> None:
    """Berlin's midnights are days of Berlin, not evenings of UTC, and the response has a repair."""
    stamps = ["2024-03-30T00:00:00+01:00", "2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00"]

    parsed = post([row(timestamp=one) for one in stamps])

    assert parsed.calendars[0].timezone == "Europe/Berlin"
    assert [one.code for one in parsed.repairs["a"]] == ["TIMEZONE_FOUND"]
    unknown = post([row(timestamp=one.replace(":00+02:00", ":00+13:00")) for one in stamps])
    assert unknown.calendars[0].timezone == "UTC"


def test_a_timezone_makes_instants_of_wall_clocks() -> None:
    """Days start at local midnight; of the hour that a change of clocks repeats the first is meant."""
    stamps = ["2024-03-31", "2024-04-01", "2024-10-27T02:30", "2024-10-27T02:30:00+01:00"]

    parsed = post([row(timestamp=one) for one in stamps], timezone="Europe/Berlin", frequency="half-hourly")

    expected = ["2024-03-30T23:00:00", "2024-03-31T22:00:00", "2024-10-27T00:30:00", "2024-10-27T01:30:00"]
    assert [one[1] for one in rows_of(parsed)] == expected
    assert (parsed.calendars[0].frequency, parsed.calendars[0].timezone) == ("30min", "Europe/Berlin")


@given(
    st.binary(max_size=200),
    st.sampled_from([NONE, CSV]),
    st.sampled_from([b"", b"PAR1", b"id,ds,y\n", b"ds;a\n", b"{"]),
)
def test_any_body_is_parsed_or_refused(body: bytes, options: BodyOptions, start: bytes) -> None:
    """No other exception is raised than an AlmanacError."""
    try:
        parse_observations(start + body, options, LIMIT)
    except AlmanacError as error:
        assert error.detail  # noqa: PT017 (both outcomes are right)


def test_a_row_of_another_width_than_the_header_is_refused() -> None:
    """A missing cell is not a gap, an additional one may have moved the others; and 1_000 is not a number."""
    body = b"id,ds,y\na,2024-01-01,1\na,2024-01-02\na,2024-01-03,1,5\na,2024-01-04,1_000\na,2024-01-05,\n"

    parsed = parse_observations(body, CSV, LIMIT)

    assert [one[1][:10] for one in rows_of(parsed)] == ["2024-01-01", "2024-01-05"]
    assert faults_of(parsed) == [
        ("/observations/1/value", "FIELD_INVALID"),
        ("/observations/2/value", "FIELD_INVALID"),
        ("/observations/3/value", "SERIES_NOT_NUMERIC"),
    ]


@pytest.mark.parametrize("charset", ["windows-1252", "ISO-8859-1"])
def test_a_csv_file_is_in_the_charset_of_its_media_type(charset: str) -> None:
    """Without it, other text than UTF-8 is refused with the media type that reads it; an unknown one is named."""
    body = "id,ds,y\nKöln,2024-01-31,1\n".encode("cp1252")

    parsed = parse_observations(body, BodyOptions(f"text/csv; charset={charset}".lower()), LIMIT)

    assert rows_of(parsed) == [("Köln", "2024-01-31T00:00:00", 1.0)]
    with pytest.raises(FileInvalid) as caught:
        parse_observations(body, CSV, LIMIT)
    assert "charset=windows-1252" in caught.value.hint
    with pytest.raises(TypeUnsupported, match="'koi8-r'"):
        parse_observations(body, BodyOptions("text/csv; charset=koi8-r"), LIMIT)


RETAIL = b"date,store,item,price,sales\n2024-01-01,01,a/b,1.5,3\n2024-01-01,01,c,1.5,4\n2024-01-01,02,c,2.5,5\n"


@pytest.mark.parametrize(
    ("body", "error", "pointer", "words"),
    [
        (
            RETAIL + RETAIL.partition(b"\n")[2].replace(b"01-01", b"01-02"),
            FieldMissing,
            "/id",
            "`?id_column=store,item` `?time_column=date` `?value_column=sales`",
        ),
        (b"id,ds,y\na,2024-01-01,985\na,2024-01-02,1.028\n", FieldInvalid, "/value", "`?thousands=.`"),
        (b"id,ds,y\na,02/03/2024,1\n", FieldInvalid, "/timestamp", "`?date_format=%25d/%25m/%25Y`"),
        (b"id,ds,y\na,45292,1\n", FieldInvalid, "/timestamp", "Format the column as dates"),
        (b"PK\x03\x04", TypeUnsupported, "", "almanac observe"),
        (b"\x1f\x8b", TypeUnsupported, "", "Content-Encoding: gzip"),
        (b"ARROW1", TypeUnsupported, "", "Parquet"),
        (b'{"id": "a", "ds": "2024", "y": 1}\n', TypeUnsupported, "", "a file of JSON lines with `almanac observe`"),
    ],
)
def test_a_file_that_can_be_read_in_two_ways_is_refused(
    body: bytes, error: type[AlmanacError], pointer: str, words: str
) -> None:
    """With the parameter that settles it; a file of another format by name."""
    with pytest.raises(error) as caught:
        parse_observations(body, CSV, LIMIT)

    assert caught.value.pointer == pointer
    assert words in caught.value.hint


def test_parameters_of_files_are_not_for_json() -> None:
    """They would be ignored silently."""
    with pytest.raises(FieldInvalid, match="`id_column` is for CSV and Parquet"):
        parse_observations(orjson.dumps({"observations": [row()]}), BodyOptions(columns=ReadOptions(("id",))), LIMIT)


def test_jitter_is_removed_with_and_without_a_frequency() -> None:
    """So that a series posted both ways has one value for each step."""
    stamps = [f"2024-03-01T{at // 6:02d}:{at % 6}0:00.{at * at * 377 % 900:03d}" for at in range(24)]
    sent = [row(timestamp=one, value=at) for at, one in enumerate(stamps)]

    bare, given_one = post(sent), post(sent, frequency="10min")

    assert bare.observations.timestamps.tolist() == given_one.observations.timestamps.tolist()
    assert bare.observations.timestamps[1] == np.datetime64("2024-03-01T00:10:00")
    assert [one.code for one in bare.repairs["a"]] == ["TIMESTAMPS_SNAPPED"]


def test_years_of_the_buddhist_era_are_refused() -> None:
    """As in files: weekdays would be wrong."""
    parsed = post([row(timestamp=None), row(timestamp="2567-01-31")])

    fault = parsed.faults[1].finding
    assert (parsed.refused, fault.pointer) == (2, "/observations/1/timestamp")
    assert "in the year 2567" in fault.detail


def test_each_series_has_its_era() -> None:
    """A Persian series beside a Gregorian one is refused alone; with a frequency it is taken, and it is said."""
    days = [f"1402-{month:02d}-01" for month in range(1, 5)]
    rows = [row(id="IR", timestamp=day) for day in days]
    rows += [row(id="DE", timestamp=day.replace("1402", "2022")) for day in days]

    bare, stated = post(rows), post(rows, frequency="M")

    assert (bare.observations.names, bare.accepted, bare.refused) == (("DE",), 4, 4)
    assert "state the frequency" in bare.faults[0].finding.hint
    assert (stated.accepted, [one.code for one in stated.repairs["IR"]]) == (8, ["ERA_UNCLEAR"])


@pytest.mark.parametrize(("first", "is_near"), [("1470-01-01", True), ("2022-01-01", False)])
def test_a_stored_series_of_old_times_may_be_corrected(first: str, *, is_near: bool) -> None:
    """Its own years show the era."""
    start = np.datetime64(first).astype("M8[M]")
    stored = KnownSeries(Calendar(), (start + np.arange(4)).astype("M8[us]"))

    body = orjson.dumps({"observations": [row(timestamp="1470-02-01"), row(timestamp="1470-03-01")]})
    parsed = parse_observations(body, NONE, LIMIT, lambda _: {"a": stored})

    assert (parsed.refused == 0) == is_near


def test_one_series_of_another_era_does_not_refuse_the_others_of_a_file() -> None:
    """As of a JSON body."""
    rows = [f"{name},{year}-0{month}-01,1" for name, year in (("IR", 1402), ("DE", 2022)) for month in range(1, 5)]

    parsed = parse_observations("\n".join(["id,ds,y", *rows]).encode(), CSV, LIMIT)

    assert (parsed.observations.names, parsed.accepted, parsed.refused) == (("DE",), 4, 4)
    assert "in the year 1402" in parsed.faults[0].finding.detail
