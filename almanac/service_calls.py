"""Service calls: what a client can ask of a service, as calls of `almanac.calls`."""

import gzip
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from almanac.calls import Call, Request, ask, ask_json, problem_of, read_json
from almanac.errors import AlmanacWarning, error_of
from almanac.forecasts import Forecasts, make_forecasts
from almanac.frames import ID, TARGET, TIME, read_frame
from almanac.options import ForecastOptions, ReadingOptions, check_options, columns_of, read_with, request_fields
from almanac.progress import shown_progress
from almanac.reading import in_python
from models.columns import find_column
from models.errors import AlmanacError, DataInvalid, ModelUnknown
from models.names import STARTER
from service.errors import BatchTooLarge, BodyTooLarge

CHUNK_SERIES, CHUNK_VALUES = 500, 100_000
"""Series and values in one request at most: some megabytes."""

CHUNK_ROWS = 50_000
"""Observations in one request."""

COMPRESSED_BYTES = 65_536
"""Larger bodies are compressed."""

LONG_COLUMNS = 3
"""Columns of a frame without covariates: id, time, value."""

JSON, PARQUET = "application/json", "application/vnd.apache.parquet"


@dataclass(frozen=True, slots=True)
class Observed:
    """What became of observations.

    Attributes:
        accepted: Rows that are stored.
        refused: Rows that are not.
        errors: Why, by row of the frame, counted from 0; at most the first 1,000 of each request.
        warnings: How the frame was read where it can be read in several ways: `code`, `detail` and `hint`, each once.
        repairs: What was changed: `id`, `code` and `detail`.
    """

    accepted: int
    refused: int
    errors: Mapping[int, AlmanacError]
    warnings: Sequence[Mapping[str, str]] = ()
    repairs: Sequence[Mapping[str, str]] = ()


def forecast(  # noqa: PLR0913 - what the clients pass on
    data: Any,  # noqa: ANN401 - a frame of any kind
    horizon: int,
    model: str | None,
    options: ForecastOptions,
    *,
    record: bool = True,
    chunk: int = CHUNK_SERIES,
) -> Call[Forecasts]:
    """Return the forecasts of the series of a frame; many series are several requests."""
    asked = request_fields(horizon, options)
    covariates = yield from _covariates(data, model, options)
    source = read_with(data, options, horizon, covariates)
    fields = {**asked, "record": record, **({"model": model} if model else {})}
    errors: list[Mapping[str, Any]] = [one.to_dict() for one in source.faults.values()]
    entries: list[Mapping[str, Any]] = []
    identity: Mapping[str, Any] = {}
    chunks = list(chunks_of([one for one in source.entries if one["id"] not in source.faults], chunk))
    for part in shown_progress(chunks, "series", wanted=options.get("progress")):
        body = yield from forecast_entries(part, fields)
        identity = body["model"]
        entries += body["forecasts"]
        errors += body["errors"]
    return make_forecasts(identity, entries, errors, source)


def chunks_of(entries: Sequence[dict[str, Any]], most: int = CHUNK_SERIES) -> Iterator[list[dict[str, Any]]]:
    """Yield the entries in parts of at most so many series, and of CHUNK_VALUES values."""
    part: list[dict[str, Any]] = []
    values = 0
    for one in entries:
        if part and (len(part) >= most or values + len(one["values"]) > CHUNK_VALUES):
            yield part
            part, values = [], 0
        part.append(one)
        values += len(one["values"])
    if part:
        yield part


def forecast_entries(entries: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> Call[dict[str, Any]]:
    """Return `model`, `forecasts` and `errors` of a request; one that is too large for the service is sent in halves.

    Raises:
        AlmanacError: If the request is wrong as a whole.
    """
    content = orjson.dumps({"series": [_sent(one) for one in entries], **fields})
    headers = {"content-type": JSON, "accept": JSON}
    if len(content) > COMPRESSED_BYTES:
        content = gzip.compress(content, 3)
        headers["content-encoding"] = "gzip"
    response = yield from ask(Request("POST", "forecast", content=content, headers=headers, repeatable=False))
    if response.is_success:
        return read_json(response)
    error = problem_of(response)
    if isinstance(error, BatchTooLarge | BodyTooLarge) and len(entries) > 1:
        half = len(entries) // 2
        first = yield from forecast_entries(entries[:half], fields)
        second = yield from forecast_entries(entries[half:], fields)
        return {
            "model": first["model"],
            "forecasts": first["forecasts"] + second["forecasts"],
            "errors": first["errors"] + second["errors"],
        }
    found = orjson.loads(response.content) if b'"errors"' in response.content else {}
    if not found.get("errors"):
        raise error
    return {"model": found.get("model", {}), "forecasts": [], "errors": found["errors"]}


def _sent(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value is not None}


def _covariates(data: Any, model: str | None, options: ForecastOptions) -> Call[tuple[Sequence[str], Sequence[str]]]:  # noqa: ANN401
    """Return the names of the covariates that the model reads, if the frame may have some."""
    if options.get("future") is None and len(getattr(data, "columns", ())) <= LONG_COLUMNS:
        return (), ()
    name = model or (yield from ask_json(Request("GET", "models"))).get("default") or STARTER
    try:
        spec = (yield from ask_json(Request("GET", f"models/{quote(name)}")))["spec"]
    except ModelUnknown:  # perhaps a family of models by segment, which have the same covariates
        listed = (yield from ask_json(Request("GET", "models")))["models"]
        member = next((one["name"] for one in listed if one["name"].startswith(f"{name}-")), None)
        if member is None:
            raise
        spec = (yield from ask_json(Request("GET", f"models/{quote(member)}")))["spec"]
    return spec.get("past_covariates") or (), spec.get("future_covariates") or ()


def observe(data: Any, options: ReadingOptions) -> Call[Observed]:  # noqa: ANN401
    """Store the rows of a frame; many rows are several requests. Warns of rows that are not stored.

    Raises:
        AlmanacError: The error of the first row, if no row can be stored.
        TypeError: If there is no such option.
    """
    check_options(options, ReadingOptions)
    params = {name: options.get(name) for name in ("frequency", "timezone", "date_format")}
    sent = {name: str(value) for name, value in params.items() if value is not None}
    frame = read_frame(data, columns_of(options))
    names = frame.table.column_names
    known = frame.columns
    chosen = [
        given or find_column(names, field)
        for given, field in ((known.id, "id"), (known.time, "timestamp"), (known.target, "value"))
    ]
    for name, wanted, option in zip(chosen, (ID, TIME, TARGET), ("id_col", "time_col", "target_col"), strict=True):
        if name is None:
            raise DataInvalid(
                f"The frame has no column {wanted!r}. Received: {', '.join(names)[:200]}.",
                hint=f"Name it with {option}=.",
            )
    table = frame.table.select(chosen).rename_columns([ID, TIME, TARGET])
    starts = range(0, table.num_rows, CHUNK_ROWS)
    accepted, refused, errors = 0, 0, dict[int, AlmanacError]()
    noticed, repairs = list[Mapping[str, str]](), list[Mapping[str, str]]()
    for start in shown_progress(starts, "observations", wanted=options.get("progress")):
        body = yield from send_rows(table.slice(start, CHUNK_ROWS), sent)
        accepted, refused = accepted + body["accepted"], refused + body["refused"]
        hinted = [{**one, "hint": in_python(one["hint"])} for one in body.get("warnings", ())]
        noticed += [one for one in hinted if one not in noticed]
        repairs += body.get("repairs", ())
        for one in body["errors"]:
            place = one["pointer"].split("/")[2:3]
            row = start + int(place[0]) if place and place[0].isdecimal() else -1
            errors.setdefault(row, error_of({**one, "hint": in_python(one["hint"])}, ids=(str(one.get("id")),)))
    if errors:
        first = min(errors)
        if not accepted:
            raise errors[first]
        text = f"{refused} of {accepted + refused} rows are not stored (see .errors). Row {first}: {errors[first]}"
        warnings.warn(text, AlmanacWarning, stacklevel=4)
    return Observed(accepted, refused, errors, noticed, repairs)


def send_rows(table: pa.Table, params: Mapping[str, str]) -> Call[dict[str, Any]]:
    """Return what the service answers to some observations: `accepted`, `refused`, `errors`."""
    body = io.BytesIO()
    pq.write_table(table, body, compression="zstd")
    return (yield from send_parquet(body.getvalue(), params))


def send_parquet(content: bytes, params: Mapping[str, str]) -> Call[dict[str, Any]]:
    """Return what the service answers to a Parquet file of observations; raises AlmanacError if it refuses all of it."""
    headers = {"content-type": PARQUET, "accept": JSON}
    response = yield from ask(Request("POST", "observations", params, content, headers))
    found = orjson.loads(response.content) if b'"accepted"' in response.content else {}
    if "accepted" not in found:
        raise problem_of(response)
    return dict(found)


def get(path: str, params: Mapping[str, Any]) -> Call[dict[str, Any]]:
    """Return the JSON object at a path; parameters that are None are left out."""
    sent = {name: value for name, value in params.items() if value is not None}
    return ask_json(Request("GET", path, sent))


def models() -> Call[list[dict[str, Any]]]:
    """Return the registered models and the starter."""
    found: list[dict[str, Any]] = (yield from get("models", {}))["models"]
    return found


def model(name: str) -> Call[dict[str, Any]]:
    """Return the card of a model."""
    return get(f"models/{quote(name)}", {})


def job(job_id: str) -> Call[dict[str, Any]]:
    """Return a job with its steps and its progress."""
    return get(f"jobs/{quote(job_id, safe='')}", {})


def jobs(params: Mapping[str, Any]) -> Call[list[dict[str, Any]]]:
    """Return the jobs of all pages, the newest first."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = yield from get("jobs", {**params, **({"after": after} if after else {})})
        found += page["jobs"]
        after = page.get("next") or ""
        if not after:
            return found


def retrain(body: Mapping[str, Any]) -> Call[dict[str, Any]]:
    """Return the job that retrains a model."""
    content = orjson.dumps({name: value for name, value in body.items() if value is not None})
    return ask_json(Request("POST", "jobs", content=content, headers={"content-type": JSON}, repeatable=False))


def cancel(job_id: str) -> Call[dict[str, Any]]:
    """Return a job that is cancelled."""
    return ask_json(Request("POST", f"jobs/{quote(job_id, safe='')}/cancel"))
