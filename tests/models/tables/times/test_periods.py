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
    """And a frequency that is not known is refused by name."""
    buffer = io.BytesIO()
    pd.DataFrame({"ds": pd.PeriodIndex(["2024-01", None, "2024-03"], freq="M"), "y": [1.0, 2, 3]}).to_parquet(buffer)

    found = read_columns(read_sheet(buffer.getvalue()), ReadOptions())

    assert list(found.times.faults) == [1]
    metadata = {b"ARROW:extension:name": b"pandas.period", b"ARROW:extension:metadata": b'{"freq": "lunar"}'}
    schema = pa.schema([pa.field("ds", pa.int64(), metadata=metadata), pa.field("y", pa.float64())])
    pq.write_table(pa.table([[1, 2], [1.0, 2.0]], schema=schema), other := io.BytesIO())
    with pytest.raises(TableInvalid, match="periods of pandas of the frequency 'lunar' in column 'ds'"):
        read_sheet(other.getvalue())
