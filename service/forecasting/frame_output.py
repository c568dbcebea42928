"""Frame output: forecasts as a Parquet file or an Arrow stream or file, with columns named as in neuralforecast."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import BatchTooLarge
from service.forecasting.predict import ForecastRow
from service.forecasting.response import ForecastResult

MODEL = "Almanac"
METADATA = b"almanac"
"""Key of the schema's metadata whose value is JSON: `model`, `forecasts` without their numbers, and `errors`."""
MOST_METADATA = 48_000_000
"""Bytes of that JSON in a Parquet file, which holds it twice; Arrow reads at most 100 MB of one text in it."""
ARRAYS = frozenset({"timestamps", "median", "mean", "paths", "quantiles", "intervals"})


def write_parquet(result: ForecastResult) -> bytes:
    """Return a result as a Parquet file; raises BatchTooLarge if its metadata would be too large to read."""
    import pyarrow.parquet as pq

    def write(table: Any, sink: io.BytesIO) -> None:  # noqa: ANN401 (pyarrow)
        if (size := len(table.schema.metadata[METADATA])) > MOST_METADATA:
            raise BatchTooLarge(
                f"The repairs and warnings of these series are {size / 1e6:.0f} MB, more than readers of Parquet accept.",
                pointer="/series",
                hint="Send fewer series at a time, or ask for NDJSON or Arrow (Accept).",
            )
        pq.write_table(table, sink, compression="zstd")

    return _written(result, write)


def write_arrow_stream(result: ForecastResult) -> bytes:
    """Return a result as an Arrow stream."""
    import pyarrow as pa

    return _written(result, lambda table, sink: _write_ipc(pa.ipc.new_stream, table, sink))


def write_arrow_file(result: ForecastResult) -> bytes:
    """Return a result as an Arrow file."""
    import pyarrow as pa

    return _written(result, lambda table, sink: _write_ipc(pa.ipc.new_file, table, sink))


def _write_ipc(new: Callable[[Any, Any], Any], table: Any, sink: io.BytesIO) -> None:  # noqa: ANN401 (pyarrow)
    with new(sink, table.schema) as writer:
        writer.write_table(table)


def _written(result: ForecastResult, write: Callable[[Any, io.BytesIO], None]) -> bytes:
    sink = io.BytesIO()
    write(_table_of(result), sink)
    return sink.getvalue()


def _table_of(result: ForecastResult) -> Any:  # noqa: ANN401 (a table of pyarrow)
    """Return the forecasts below each other: `unique_id`, `ds`, `Almanac`, its mean and paths if asked for, intervals and quantiles."""
    import pyarrow as pa

    entries = result.body["forecasts"]
    steps = [len(entry["median"]) for entry in entries]
    ids = pa.array([entry["id"] for entry in entries], pa.string()).take(
        pa.array(np.repeat(np.arange(len(steps)), steps))
    )
    columns = {"unique_id": ids, "ds": _dates(result.rows, entries), MODEL: _joined([e["median"] for e in entries])}
    if "mean" in entries[0]:
        columns[f"{MODEL}-mean"] = _joined([entry["mean"] for entry in entries])
    for number in range(len(entries[0].get("paths", ()))):
        columns[f"{MODEL}-path-{number + 1}"] = _joined([entry["paths"][number] for entry in entries])
    for name in _names(entries, "intervals"):
        for short, side in (("lo", "lower"), ("hi", "upper")):
            columns[f"{MODEL}-{short}-{name}"] = _joined(
                [entry["intervals"].get(name, {}).get(side, _nothing(entry)) for entry in entries]
            )
    for name in _names(entries, "quantiles"):
        columns[f"{MODEL}-q-{name}"] = _joined([entry["quantiles"].get(name, _nothing(entry)) for entry in entries])
    return pa.table(columns).replace_schema_metadata({METADATA: orjson.dumps(_about(result))})


def _about(result: ForecastResult) -> dict[str, Any]:
    shown = [{name: one for name, one in entry.items() if name not in ARRAYS} for entry in result.body["forecasts"]]
    return {**result.body, "forecasts": shown}


def _names(entries: Sequence[Mapping[str, Any]], kind: str) -> list[str]:
    """Return the levels of all forecasts, rising; starters of different frequencies may have different ones."""
    return sorted({name for entry in entries for name in entry[kind]}, key=float)


def _nothing(entry: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return a column without values, of a level that a forecast does not have."""
    return np.full(len(entry["median"]), np.nan)


def _joined(columns: Sequence[Any]) -> Any:  # noqa: ANN401 (an array of pyarrow)
    import pyarrow as pa

    return pa.array(np.concatenate(columns), pa.float64(), from_pandas=True)


def _dates(rows: Sequence[ForecastRow], entries: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 (an array of pyarrow)
    """Return timestamps with the timezone that all series share, wall clocks if none has one, else text; steps without dates."""
    import pyarrow as pa

    shown = [forecast.shown for _, _, forecast in rows]
    zones = {forecast.timezone for forecast in shown}
    if all(forecast.timestamps is None for forecast in shown):
        return pa.array(np.concatenate([np.arange(1, len(forecast.median) + 1) for forecast in shown]))
    if len(zones) == 1 and all(forecast.timestamps is not None for forecast in shown):
        joined = np.concatenate([np.asarray(forecast.timestamps, dtype="M8[us]") for forecast in shown])
        return pa.array(joined.astype(np.int64)).cast(pa.timestamp("us", zones.pop()))
    texts = [entry["timestamps"] or [str(step + 1) for step in range(len(entry["median"]))] for entry in entries]
    return pa.array([text for one in texts for text in one], pa.string())
