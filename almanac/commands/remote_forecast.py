"""Remote forecast: a service forecasts the series of a file, part by part, into a file that an interruption does not lose."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from almanac.calls import Request, ask_json
from almanac.client import Client, connect
from almanac.forecasts import column_of, columns_of
from almanac.progress import shown_progress
from almanac.service_calls import chunks_of, forecast_entries
from models.calendar.timestamps import format_timestamps
from models.covariates import CovariateNames
from models.errors import AlmanacError
from models.forecasting.series_warnings import SeriesWarnings
from models.names import STARTER
from models.series import Series
from service.cli.resumable import MOST_ERRORS, Resumable
from training.cli.options import check_output
from training.cli.options import columns_of as file_columns
from training.config.training import require_file
from training.data.series_options import SeriesOptions
from training.data.series_set import read_series

OUTPUTS = (".csv", ".parquet")
SHOWN_ERRORS = 20
ALONE = ("plot", "season_length", "engine", "workers")
"""Options that only a forecast in this process has."""


class ForecastInterrupted(AlmanacError):
    """The service did not forecast all series; what is done is kept."""

    code = "FORECAST_INTERRUPTED"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a service is asked for: series, and the other fields of `POST /forecast`."""

    entries: Sequence[dict[str, Any]]
    fields: Mapping[str, Any]


def forecast_by_service(url: str, key: str | None, *, record: bool, chunk: int, flags: dict[str, Any]) -> int:
    """Return the exit code: 1 if some series have no forecast; they are listed.

    Raises:
        UsageError: If an option is not one of a service's forecast.
        DataInvalid: If the file cannot be read.
        ForecastInterrupted: If the service stopped answering; the same command goes on.
    """
    flags["data"], flags["output"] = Path(flags["data"]), flags["output"] and Path(flags["output"])
    _check(flags)
    noted = SeriesWarnings()
    with connect(url, key) as client:
        asked = _asked(client, flags, record=record)
        if flags["output"] is None:
            found = _collect(client, asked, chunk, noted)
            click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
            errors = found["errors"]
        else:
            kept = {"url": url, "chunk": chunk, "fields": asked.fields, "columns": str(flags)}
            errors = _write(client, asked, chunk, flags["output"], kept, noted)
    for line in noted.lines():
        click.echo(line, err=True)
    for one in errors[:SHOWN_ERRORS]:
        click.echo(f"{one['id']}: {one['detail']} {one['hint']}".strip(), err=True)
    if len(errors) > SHOWN_ERRORS:
        click.echo(f"… {len(errors) - SHOWN_ERRORS} more.", err=True)
    done = len(asked.entries) - len(errors)
    click.echo(f"{done} of {len(asked.entries)} series forecast by {url}", err=True)
    return 1 if errors else 0


def _check(flags: Mapping[str, Any]) -> None:
    for name in ALONE:
        if flags[name] is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} cannot be used with --url.")
    if flags["output"] is None and not flags["as_json"]:
        raise click.UsageError("--url needs --output FILE (.csv or .parquet) or --json.")
    if flags["output"] is not None:
        check_output("--output", flags["output"], OUTPUTS)
        if flags["sums"]:
            raise click.UsageError("A table of steps has no row for --sums: use --json without --output.")
    require_file(flags["data"])


def _asked(client: Client, flags: dict[str, Any], *, record: bool) -> Asked:
    """Return the series of the file with the model's covariates, and what is asked of their forecasts."""
    model = flags["model"] or client.run(ask_json(Request("GET", "models"))).get("default") or STARTER
    card = client.model(model)["spec"]
    past, ahead, holidays = (
        tuple(card.get(name) or ()) for name in ("past_covariates", "future_covariates", "holidays")
    )
    data = read_series(
        flags["data"],
        frequency=flags["frequency"],
        columns=file_columns(dict(flags)),
        covariates=CovariateNames(past, ahead, holidays),
        future=flags["future"],
        reading=SeriesOptions(flags["missing"] or "gap", "mask later" if flags["mask_outliers"] else "keep"),
    )
    for one in data.findings:
        click.echo(f"{one.code}: {one.detail} {one.hint}".rstrip(), err=True)
    horizon = flags["horizon"] or card["horizon"]
    fields: dict[str, Any] = {
        "horizon": horizon,
        "levels": _levels(flags["levels"]),
        "model": model,
        "record": record,
        "outliers": "mask" if flags["mask_outliers"] else "clip",
        "mean": flags["mean"],
        "paths": flags["paths"],
        "seed": flags["seed"],
    }
    bounds = {name: flags[name] for name in ("minimum", "maximum") if flags[name] is not None}
    fields |= {"bounds": bounds} if bounds else {}
    fields |= {"sums": flags["sums"].split(",")} if flags["sums"] else {}
    return Asked([_entry(one, ahead, horizon) for one in data.series], fields)


def _levels(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise click.UsageError(f"--levels is a list of numbers such as 80,95. Received: {text!r}.") from error


def _entry(series: Series, ahead: Sequence[str], horizon: int) -> dict[str, Any]:
    """Return a series as an entry of a request."""
    entry: dict[str, Any] = {"id": series.id, "values": _numbers(series.values)}
    if series.start is not None and series.frequency is not None:
        start = format_timestamps(np.array([series.start]), series.style, series.timezone)[0]
        entry |= {"start": start, "frequency": series.frequency.name, "timezone": series.timezone}
    if series.past_covariates:
        entry["past_covariates"] = {name: _numbers(one) for name, one in series.past_covariates.items()}
    known = {name: _numbers(one[:horizon]) for name, one in series.future_covariates.items() if name in ahead}
    return {**entry, "future_covariates": known} if known else entry


def _numbers(values: Any) -> list[float | None]:  # noqa: ANN401 - an array
    return [None if one != one else one for one in values.tolist()]  # noqa: PLR0124 - NaN


def _note(body: Mapping[str, Any], noted: SeriesWarnings) -> None:
    """Add the warnings of an answer to what was noted."""
    for entry in body["forecasts"]:
        for one in entry["warnings"]:
            noted.add(entry["id"], one["code"], f"{one['detail']} {one['hint']}".strip())


def _collect(client: Client, asked: Asked, chunk: int, noted: SeriesWarnings) -> dict[str, Any]:
    """Return all forecasts and errors as `POST /forecast` responds."""
    found: dict[str, Any] = {"model": {}, "forecasts": [], "errors": []}
    parts = list(chunks_of(asked.entries, chunk))
    for part in shown_progress(parts, "series"):
        body = client.run(forecast_entries(part, asked.fields))
        _note(body, noted)
        found["model"] = body["model"] or found["model"]
        for name in ("forecasts", "errors"):
            found[name] += body[name]
    return found


def _write(  # noqa: PLR0913, PLR0917 - what a file of forecasts is made of
    client: Client, asked: Asked, chunk: int, output: Path, kept: Mapping[str, Any], noted: SeriesWarnings
) -> list[dict[str, Any]]:
    """Write the forecasts to a file, and return the errors; the rows that are there count as done."""
    part, content = output.with_name(f"{output.name}.part"), orjson.dumps(asked.entries)
    state = Resumable.open(output.with_name(f"{output.name}.progress"), content, kept)
    errors: list[dict[str, Any]] = list(state.facts.get("errors", []))
    chunks = list(chunks_of(asked.entries, chunk))
    if state.done:
        click.echo(f"{state.done} of {len(chunks)} parts are in {part} already.", err=True)
    with part.open("r+b" if state.done and part.exists() else "wb") as file:
        file.truncate(state.facts.get("bytes", 0))
        file.seek(0, os.SEEK_END)
        for number, entries in enumerate(shown_progress(chunks, "series", done=state.done), state.done + 1):
            try:
                body = client.run(forecast_entries(entries, asked.fields))
            except AlmanacError as error:
                done = f"{number - 1} of {len(chunks)} parts are done."
                raise ForecastInterrupted(
                    f"{error.detail} {done}", hint=f"{error.hint} Give the same command again: it goes on.".strip()
                ) from error
            _note(body, noted)
            errors += body["errors"]
            file.write(_rows(body["forecasts"], header=file.tell() == 0))
            file.flush()
            os.fsync(file.fileno())
            state.keep(number, {"bytes": file.tell(), "errors": errors[:MOST_ERRORS]})
    _finish(part, output)
    state.end()
    return errors


def _rows(entries: Sequence[Mapping[str, Any]], *, header: bool) -> bytes:
    """Return forecasts as lines of CSV with the columns of `almanac forecast --output`."""
    if not entries:
        return b""
    steps = [len(one["median"]) for one in entries]
    stamps = [text for one in entries for text in one["timestamps"] or map(str, range(1, len(one["median"]) + 1))]
    ids = [one["id"] for one, count in zip(entries, steps, strict=True) for _ in range(count)]
    numbers = {name: np.concatenate([column_of(one, name) for one in entries]) for name in columns_of(entries)}
    sink = pa.BufferOutputStream()
    table = pa.table({"unique_id": pa.array(ids, pa.string()), "ds": pa.array(stamps, pa.string()), **numbers})
    pc.write_csv(table, sink, pc.WriteOptions(include_header=header, quoting_style="needed"))
    return bytes(sink.getvalue())


def _finish(part: Path, output: Path) -> None:
    """Make the finished file of the rows."""
    if output.suffix.lower() == OUTPUTS[0] or not part.stat().st_size:
        part.replace(output)
        return
    with part.open("rb") as file:
        names = file.readline().decode().strip().replace('"', "").split(",")
    types = {name: pa.string() if name in {"unique_id", "ds"} else pa.float64() for name in names}
    pq.write_table(pc.read_csv(part, convert_options=pc.ConvertOptions(column_types=types)), output)
    part.unlink()
