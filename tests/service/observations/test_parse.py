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
from service.errors import BatchTooLarge, FieldInvalid, FieldMissing, FieldUnknown, FileInvalid, JsonInvalid
from service.observations.parse import BodyOptions, ParsedObservations, parse_observations

CSV = BodyOptions("text/csv")
LIMIT = 1_000


def post(observations: object, **members: str) -> ParsedObservations:
    """Return what a JSON body holds."""
    return parse_observations(orjson.dumps({"observations": observations, **members}), BodyOptions(), LIMIT)


def row(**changes: object) -> dict[str, Any]:
    """Return a sound row with changes."""
    return {"id": "a", "timestamp": "2024-01-31", "value": 1.5, **changes}


def parquet(**columns: object) -> bytes:
    """Return a Parquet file of these columns."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def shown(posted: ParsedObservations) -> list[tuple[str, str, float]]:
    """Return the observations as plain rows."""
    rows = posted.observations
    return list(zip(rows.ids(), [str(one)[:19] for one in rows.timestamps], rows.values.tolist(), strict=True))


ROWS = [("a", "2024-01-31T00:00:00", 1.5), ("b", "2024-01-31T06:30:00", -2.0)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (orjson.dumps({"observations": [row(), row(id="b", timestamp="2024-01-31T06:30", value=-2)]}), BodyOptions()),
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
        (parquet(id=["a", "b"], ds=["2024-01-31", "2024-01-31T06:30"], y=[1.5, -2]), BodyOptions()),
        (
            parquet(
                y=np.array([1.5, -2], dtype=np.float32),
                id=pa.array(["a", "b"]).dictionary_encode(),
                ds=np.array(["2024-01-31", "2024-01-31T06:30"], dtype="M8[ns]"),
            ),
            BodyOptions("application/octet-stream"),
        ),
    ],
    ids=["rows", "columns", "csv", "csv as spreadsheets write it", "parquet", "parquet of typed columns"],
)
def test_every_format_says_the_same(body: bytes, said: BodyOptions) -> None:
    """Rows, columns, CSV and Parquet are one set of observations, by series and time."""
    assert shown(parse_observations(body, said, LIMIT)) == ROWS


def test_the_last_of_two_equal_rows_counts() -> None:
    """As if they had been posted one after the other."""
    posted = post([row(value=1), row(id="b"), row(value=2), row(value=3, timestamp="2024-01-30")])

    assert shown(posted)[:2] == [("a", "2024-01-30T00:00:00", 3.0), ("a", "2024-01-31T00:00:00", 2.0)]
    assert posted.accepted == 4


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"id": None}, "FIELD_MISSING", "id"),
        ({"id": 7}, "FIELD_INVALID", "id"),
        ({"id": ""}, "FIELD_INVALID", "id"),
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
def test_a_bad_row_is_named_and_the_others_stay(wrong: dict[str, Any], code: str, field: str) -> None:
    """With its code, where it stands, and what to do; a wrong type included."""
    body = orjson.dumps if wrong.get("value") != 10**400 else None
    sent = {"observations": [row(), row(id="bad", **wrong) if "id" not in wrong else row(**wrong), row(id="c")]}
    text = body(sent) if body else repr(sent).replace("'", '"').encode()

    posted = parse_observations(text, BodyOptions(), LIMIT)

    assert [one[0] for one in shown(posted)] == ["a", "c"]
    (fault,) = posted.faults
    assert (fault.finding.code, fault.finding.pointer) == (code, f"/observations/1/{field}")
    assert fault.finding.hint
    assert (posted.accepted, posted.refused) == (2, 1)


def test_rows_that_lack_fields_or_are_none_are_named() -> None:
    """A row that is a number, and one without a value: null is a value, its absence a slip."""
    posted = post([5, {"id": "a", "timestamp": "2024-01-31"}, row(value=None)])

    assert [fault.finding.pointer for fault in posted.faults] == ["/observations/0/id", "/observations/1/value"]
    assert np.isnan(posted.observations.values).tolist() == [True]


def test_faults_of_columns_point_into_the_columns() -> None:
    """The pointer follows the shape of the request."""
    posted = post({"id": ["a", "b"], "timestamp": ["2024-01-31", "never"], "value": [1, 2]})

    assert [fault.finding.pointer for fault in posted.faults] == ["/observations/timestamp/1"]


def test_many_faults_are_counted_and_the_first_are_named() -> None:
    """The answer to a body that is wrong throughout stays small."""
    posted = parse_observations(b"id,ds,y\n" + b"a,never,1\n" * 5_000, CSV, 10_000)

    assert (posted.refused, len(posted.faults)) == (5_000, 1_000)


@pytest.mark.parametrize(
    ("body", "said", "error"),
    [
        (b"{", BodyOptions(), JsonInvalid),
        (b"[]", BodyOptions(), FieldInvalid),
        (b'{"observation": []}', BodyOptions(), FieldUnknown),
        (b"{}", BodyOptions(), FieldMissing),
        (b'{"observations": []}', BodyOptions(), FieldInvalid),
        (b'{"observations": {"id": ["a"], "timestamp": [], "value": []}}', BodyOptions(), FieldInvalid),
        (b'{"observations": {"id": "a", "timestamp": "b", "value": "c"}}', BodyOptions(), FieldInvalid),
        (b'{"observations": [1], "frequency": 5}', BodyOptions(), FieldInvalid),
        (b"", CSV, FieldMissing),
        (b"id,ds\na,2024", CSV, FieldMissing),
        (b"id,ds,y\n\xff,2024,1", CSV, FileInvalid),
        (b'id,ds,y\n"a,2024,1', CSV, FileInvalid),
        (b"PAR1" + b"\0" * 100, BodyOptions(), FileInvalid),
        (b"PAR1", BodyOptions(), FileInvalid),
        (b"id,ds,y\n" + b"a,2024,1\n" * (LIMIT + 1), CSV, BatchTooLarge),
    ],
)
def test_an_envelope_that_is_wrong_is_refused_whole(body: bytes, said: BodyOptions, error: type[AlmanacError]) -> None:
    """In words, by the narrowest error."""
    with pytest.raises(error):
        parse_observations(body, said, LIMIT)


def test_a_parquet_file_that_would_fill_the_memory_is_refused() -> None:
    """A few kilobytes that unpack to hundreds of megabytes are not unpacked."""
    bomb = parquet(id=["x" * 10_000_000] * 3, ds=["2024-01-31"] * 3, y=[1.0] * 3)
    file = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(bomb)), file, compression="zstd", use_dictionary=False)

    assert len(file.getvalue()) < 100_000
    with pytest.raises(FileInvalid, match="unpacks"):
        parse_observations(file.getvalue(), BodyOptions(), LIMIT)


def test_offsets_tell_instants() -> None:
    """What has an offset is kept in UTC, and the series is one of UTC where nobody named a zone."""
    posted = post([row(timestamp="2024-01-31T12:00:00+02:00"), row(timestamp="2024-01-31T11:00:00Z")])

    assert [one[1] for one in shown(posted)] == ["2024-01-31T10:00:00", "2024-01-31T11:00:00"]
    assert posted.calendars[0].timezone == "UTC"
    tables = parquet(id=["a"], ds=pa.array([datetime(2024, 1, 31, 10, tzinfo=UTC)], pa.timestamp("us", "UTC")), y=[1.0])
    again = parse_observations(tables, BodyOptions(), LIMIT)
    assert ([one[1] for one in shown(again)], again.calendars[0].timezone) == (["2024-01-31T10:00:00"], "UTC")


def test_a_timezone_turns_local_clocks_into_instants() -> None:
    """Days begin at local midnight, and the hour that a clock change repeats is two hours."""
    stamps = ["2024-03-31", "2024-04-01", "2024-10-27T02:30", "2024-10-27T02:30:00+01:00"]

    posted = post([row(timestamp=one) for one in stamps], timezone="Europe/Berlin", frequency="half-hourly")

    expected = ["2024-03-30T23:00:00", "2024-03-31T22:00:00", "2024-10-27T00:30:00", "2024-10-27T01:30:00"]
    assert [one[1] for one in shown(posted)] == expected
    assert (posted.calendars[0].frequency, posted.calendars[0].timezone) == ("30min", "Europe/Berlin")


@given(
    st.binary(max_size=200), st.sampled_from([BodyOptions(), CSV]), st.sampled_from([b"", b"PAR1", b"id,ds,y\n", b"{"])
)
def test_no_body_is_worse_than_an_error_of_ours(body: bytes, said: BodyOptions, start: bytes) -> None:
    """Whatever comes is read, or refused by an error of the tree."""
    try:
        parse_observations(start + body, said, LIMIT)
    except AlmanacError as error:
        assert error.detail  # noqa: PT017 (either outcome is sound)


def test_a_row_of_a_file_is_as_wide_as_its_header() -> None:
    """A cell that is missing is no gap, and one too many has moved the others; neither is 1_000 a number."""
    body = b"id,ds,y\na,2024-01-01,1\na,2024-01-02\na,2024-01-03,1,5\na,2024-01-04,1_000\na,2024-01-05,\n"

    posted = parse_observations(body, CSV, LIMIT)

    assert [one[1][:10] for one in shown(posted)] == ["2024-01-01", "2024-01-05"]
    codes = [(fault.finding.pointer.split("/")[2], fault.finding.code) for fault in posted.faults]
    assert codes == [("1", "FIELD_INVALID"), ("2", "FIELD_INVALID"), ("3", "SERIES_NOT_NUMERIC")]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"id,ds,y,value\na,2024-01-01,1,2\n", CSV),
        (parquet(id=["a"], ds=["2024-01-31"], y=[1.5], value=[2]), BodyOptions()),
        (b'{"observations": {"id": ["a"], "ds": ["2024-01-31"], "y": [1], "value": [2]}}', BodyOptions()),
    ],
)
def test_two_columns_for_one_thing_are_refused(body: bytes, said: BodyOptions) -> None:
    """Nobody can tell which is meant."""
    with pytest.raises(FieldInvalid, match="both mean the value"):
        parse_observations(body, said, LIMIT)
