"""Periods of pandas in Parquet are read as the times at which they begin."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.tables.faults import TableInvalid
from models.tables.options import ReadOptions
from models.tables.read import read_columns, read_sheet


@pytest.mark.parametrize(
    "frequency",
    [
        "M",
        "Q-DEC",
        "Q-JAN",
        "Q-NOV",
        "Y-DEC",
        "Y-JUN",
        "W-SUN",
        "W-SAT",
        "W-WED",
        "D",
        "h",
        "min",
        "s",
        "ms",
        "us",
        "15min",
    ],
)
@pytest.mark.parametrize("first", ["1965-03-01", "2024-01-01"])
def test_periods_of_pandas_are_read_as_their_starts(frequency: str, first: str) -> None:
    """Also before 1970; pandas need not have told pyarrow of the type."""
    periods = pd.period_range(first, periods=9, freq=frequency)
    buffer = io.BytesIO()
    pd.DataFrame({"ds": periods, "y": np.arange(9.0)}).to_parquet(buffer)

    found = read_columns(read_sheet(buffer.getvalue()), ReadOptions())

    assert not found.times.faults
    assert found.times.instants().tolist() == periods.start_time.to_numpy().astype("M8[us]").tolist()


def test_a_missing_period_is_a_row_without_a_time() -> None:
    """Others keep theirs."""
    buffer = io.BytesIO()
    pd.DataFrame({"ds": pd.PeriodIndex(["2024-01", None, "2024-03"], freq="M"), "y": [1.0, 2, 3]}).to_parquet(buffer)

    found = read_columns(read_sheet(buffer.getvalue()), ReadOptions())

    assert list(found.times.faults) == [1]


@pytest.mark.parametrize("number", [1, 2**62, -(2**62), 8_030 * 12])
@pytest.mark.parametrize("metadata", [b'{"freq": "lunar"}', b'{"freq": "M"}', b'{"freq": "B"}', b"[1]", b"x", None])
def test_periods_that_are_no_dates_are_refused(metadata: bytes | None, number: int) -> None:
    """Those of an unknown frequency, of a broken description (pandas reads it, too), and beyond the year 9999."""
    pair = {} if metadata is None else {b"ARROW:extension:metadata": metadata}
    about = {b"ARROW:extension:name": b"pandas.period", **pair}
    schema = pa.schema([pa.field("ds", pa.int64(), metadata=about), pa.field("y", pa.float64())])
    table = pa.table([[number, 2], [1.0, 2.0]], schema=schema)
    is_date = (metadata, number) in {(b'{"freq": "M"}', 1), (b'{"freq": "B"}', 1), (b'{"freq": "B"}', 8_030 * 12)}

    pq.write_table(table, buffer := io.BytesIO())

    if is_date:
        assert read_sheet(buffer.getvalue()).columns
    else:
        with pytest.raises(TableInvalid, match=r"periods of pandas of the frequency|not a Parquet file"):
            read_sheet(buffer.getvalue())
