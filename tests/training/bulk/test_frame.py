from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.forecast import Forecast
from training.bulk.frame import stamps_of, to_frame, to_table

STAMPS = np.array(["2020-03-28T23:00", "2020-03-29T23:00"], dtype="M8[us]")


def make(name: str = "a", **changes: Any) -> Forecast:  # noqa: ANN401 (any field)
    """Return a forecast of two steps."""
    fields: dict[str, Any] = {"timestamps": STAMPS, "style": "YYYY-MM-DDThh:mm", "timezone": None} | changes
    quantiles = np.array([[1.0, 2.0], [3.0, 4.0]])
    return Forecast(name, quantile_levels=(0.1, 0.9), quantiles=quantiles, median=quantiles[:, 0], **fields)


@pytest.mark.parametrize(
    ("changes", "kind", "first"),
    [
        ({}, pa.timestamp("us"), "2020-03-28T23:00"),
        ({"timezone": "Europe/Berlin"}, pa.timestamp("us", "Europe/Berlin"), "2020-03-29T00:00+01:00"),
        ({"style": "YYYY-MM-DDThh:mmZ"}, pa.timestamp("us", "UTC"), "2020-03-28T23:00+00:00"),
        ({"style": "YYYY-MM-DDThh:mm+05:30"}, pa.timestamp("us", "+05:30"), "2020-03-28T23:00+05:30"),
        ({"timestamps": None}, pa.string(), "1"),
    ],
)
def test_parquet_has_the_times_of_the_histories(changes: dict[str, Any], kind: pa.DataType, first: str) -> None:
    """As timestamps with timezone or offset; their numbers where there are no dates."""
    table = to_table([make(**changes), make("b", **changes)])

    assert table.schema.field("ds").type == kind
    found = table["ds"].to_pandas()[0]
    assert str(found) == first if changes.get("timestamps", 1) is None else found.isoformat().startswith(first[:16])
    assert not first[16:] or found.isoformat().endswith(first[16:])
    assert table["unique_id"].to_pylist() == ["a", "a", "b", "b"]


def test_times_of_several_zones_are_text() -> None:
    """As in a CSV file, whose columns and numbers are the same."""
    some = [make(), make("b", timezone="Europe/Berlin")]

    table, frame = to_table(some), to_frame(some, stamps_of(some))

    assert table["ds"].to_pylist() == frame["ds"].tolist() == [one for part in stamps_of(some) for one in part]
    assert table.drop_columns("ds").to_pandas().equals(frame.drop(columns="ds"))
