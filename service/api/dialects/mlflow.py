"""MLflow: the API of its scoring server, with frames in and out as the pyfunc of a registered model has them."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from models.columns import find_separator
from models.errors import SeriesTooLong
from models.pyfunc import COLUMNS, read_frame, read_params, write_frame
from service.api.dialects.answering import answer
from service.api.dialects.model_names import find_model, list_models, selector_of
from service.api.http import json_response
from service.api.state import service_of
from service.errors import FieldInvalid, FieldMissing, FileInvalid
from service.forecasting.request import ForecastQuery, check_entries, parse_options
from service.forecasting.response import ForecastResult
from service.json_input import describe_value, invalid_field, parse_object, reject_unknown_fields
from service.observations.columns import MAX_COLUMNS
from service.selector import SelectedModel
from service.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

router = APIRouter(include_in_schema=False)

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
PARAMS = ("horizon", "levels", "mean", "paths", "seed", "sums", "model", "record")
HINT = f"Send one of {', '.join(FORMATS)}, and params if need be."
FRAME_HINT = f"Send a frame with the columns {', '.join(COLUMNS)}, as pandas writes it."
EPOCH_UNITS: Mapping[Literal["ns", "us", "ms", "s"], int] = {"ns": 10**17, "us": 10**14, "ms": 10**10, "s": 10**8}
"""Units of the time since 1970, and from which number on they are meant: each of these is a date between 1970 and 1973."""
MOST_CELLS = 10_000_000
"""Most cells of a frame, gaps included: rows that each have another column make a million gaps of a few kilobytes."""
CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"


@dataclass(slots=True)
class Invocation:
    """POST /invocations: a frame and its params, which may name a model, too."""

    frame: "pd.DataFrame"
    params: Mapping[str, Any]
    path: str | None = None

    @property
    def model(self) -> str | None:
        """Return the model's name, or None for the default."""
        name = self.params.get("model", self.path)
        if not (name is None or (isinstance(name, str) and name)):
            raise invalid_field("model", name, "Send the name of a model, or leave it out.")
        return None if name is None else selector_of(name)

    def read(self, selected: SelectedModel, settings: Settings) -> ForecastQuery:
        """Return the query of the frame's series; the starter infers their frequencies."""
        spec = selected.model.forecaster.spec
        series = read_frame(self.frame, spec.covariates, None if selected.starters is not None else spec.frequency)
        for one in series:
            if len(one) > settings.max_points:
                raise SeriesTooLong(
                    f"Series {describe_value(one.id)} has {len(one)} values.",
                    hint=f"Send the newest {settings.max_points} at most (ALMANAC_MAX_POINTS).",
                )
        return ForecastQuery(tuple(enumerate(series)), 1, (), (), None)

    def plan(self, query: ForecastQuery, selected: SelectedModel, settings: Settings) -> ForecastQuery:
        """Return the query with its params; without a horizon it is the shortest that a model is trained for."""
        given = {name: value for name, value in self.params.items() if name != "model" and value is not None}
        trained = min(selected.forecaster_for(series).spec.horizon for _, series in query.series)
        options = parse_options({"horizon": trained, **given}, settings.max_horizon)
        check_entries(query.series, options.horizon, settings)
        asked = read_params({**given, "horizon": options.horizon, "levels": options.levels}, trained)
        quantiles = tuple(asked.sides)
        return replace(options, series=query.series, levels=(), quantiles=quantiles, sampling=asked.sampling)

    def write(self, result: ForecastResult) -> Response:
        """Return the forecasts as MLflow writes a frame."""
        frame = write_frame([forecast.shown for _, _, forecast in result.rows])
        if "ds" in frame and frame["ds"].dtype.kind == "M":
            frame["ds"] = frame["ds"].map(lambda stamp: stamp.isoformat())
        return json_response({"predictions": frame.to_dict(orient="records")})


def _decode(body: bytes, request: Request) -> Invocation:
    """Return what is asked; raises FieldInvalid, FieldMissing, FileInvalid or JsonInvalid."""
    kind, path = (
        request.headers.get("content-type", "").partition(";")[0].strip().lower(),
        request.path_params.get("model"),
    )
    try:
        if kind == CSV:
            return Invocation(_checked(_read_csv(body, request.headers.get("content-type", ""))), {}, path)
        if kind == PARQUET:
            return Invocation(_checked(_read_parquet(body, service_of(request).settings)), {}, path)
    except (ValueError, OverflowError, OSError, csv.Error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FileInvalid(f"The body cannot be read: {reason}.", hint=FRAME_HINT) from error
    sent = parse_object(body, HINT, allow_inf_nan=True)
    reject_unknown_fields(sent, (*FORMATS, "params"))
    params = sent.get("params") or {}
    if not isinstance(params, dict):
        raise invalid_field("params", params, 'Send an object such as {"horizon": 12}.')
    reject_unknown_fields(params, PARAMS, "/params")
    given = [name for name in FORMATS if sent.get(name) is not None]
    if len(given) != 1:
        raise FieldMissing(f"The body has {len(given)} of {', '.join(FORMATS)}.", hint="Send exactly one of them.")
    return Invocation(_frame_of(given[0], sent[given[0]]), params, path)


def _frame_of(name: str, data: Any) -> "pd.DataFrame":  # noqa: ANN401 (any JSON)
    """Return the frame in a field of JSON; raises FieldInvalid."""
    import pandas as pd

    try:
        if name == "dataframe_split":
            if not isinstance(data, dict):
                raise invalid_field(name, data, 'Send {"columns": […], "data": [[…]]}.')
            reject_unknown_fields(data, ("columns", "data", "index"), f"/{name}")
            rows = _rows(data.get("columns"), data.get("data"))
            _check_size(name, len(rows), len(data["columns"]))
            return _dated(_checked(pd.DataFrame(rows, dtype=object)))
        is_columns = name != "dataframe_records" and isinstance(data, dict)
        if not (is_columns or (isinstance(data, list) and all(isinstance(row, dict) for row in data))):
            raise invalid_field(name, data, "Send a list of objects, one for each row.")
        _check_size(name, *_size_of(data))
        return _dated(_checked(pd.DataFrame(data, dtype=object)))
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise FieldInvalid(f"`{name}` is no frame: {str(error)[:200]}.", pointer=f"/{name}", hint=FRAME_HINT) from error


def _size_of(data: dict[str, Any] | list[dict[str, Any]]) -> tuple[int, int]:
    """Return how many rows and columns a frame of columns or of rows has, which may lack each other's."""
    if isinstance(data, list):
        return len(data), len(set().union(*data))
    labels = set().union(*(one for one in data.values() if isinstance(one, dict)))
    return max([len(labels), *(len(one) for one in data.values() if isinstance(one, list))]), len(data)


def _check_size(name: str, rows: int, columns: int) -> None:
    """Raise FieldInvalid for a frame that takes far more memory than its text, which has rows or columns with gaps."""
    if columns > MAX_COLUMNS or rows * columns > MOST_CELLS:
        raise FieldInvalid(
            f"The frame has {rows:,} rows and {columns:,} columns; at most {MAX_COLUMNS:,} columns and {MOST_CELLS:,} cells are read.",
            pointer=f"/{name}",
            hint="Send a long frame: a column each for id, time and value.",
        )


def _dated(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return a frame with dates in place of the time since 1970, which pandas' `to_json` writes."""
    import pandas as pd

    if "ds" not in frame or frame["ds"].dtype.kind != "i" or frame.empty:
        return frame
    largest = int(frame["ds"].abs().max())
    unit = next((unit for unit, least in EPOCH_UNITS.items() if largest >= least), None)
    return frame if unit is None else frame.assign(ds=pd.to_datetime(frame["ds"], unit=unit))


def _rows(columns: object, data: object) -> list[dict[str, Any]]:
    """Return the rows of `dataframe_split`, each by column; raises FieldInvalid."""
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise FieldInvalid("`columns` is no list of names.", pointer="/dataframe_split/columns", hint=FRAME_HINT)
    if len(set(columns)) < len(columns):
        raise FieldInvalid("`columns` has a name twice.", pointer="/dataframe_split/columns", hint=FRAME_HINT)
    if not isinstance(data, list):
        raise FieldInvalid("`data` is no list of rows.", pointer="/dataframe_split/data", hint=FRAME_HINT)
    for place, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            raise FieldInvalid(
                f"Row {place} is {describe_value(row)}; it must be a list of {len(columns)} cells.",
                pointer=f"/dataframe_split/data/{place}",
                hint=FRAME_HINT,
            )
    return [dict(zip(columns, row, strict=True)) for row in data]


def _checked(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return a frame whose columns have names, each once, and whose cells are single values; raises FieldInvalid."""
    if not frame.columns.is_unique or not all(isinstance(name, str) for name in frame.columns):
        raise FieldInvalid("The columns of the frame have no names, or a name twice.", hint=FRAME_HINT)
    for name, column in frame.items():
        if column.dtype == object and not {list, dict}.isdisjoint(map(type, column)):
            raise FieldInvalid(f"The column {describe_value(name)} has lists or objects.", hint=FRAME_HINT)
    return frame.infer_objects()


def _read_csv(body: bytes, media_type: str) -> "pd.DataFrame":
    """Return the frame of a CSV file in UTF-8, UTF-16 or the charset of the media type; raises as `decode` and pandas."""
    import pandas as pd

    from models.tables.content import decode
    from models.tables.faults import TableInvalid
    from service.observations.files import NOT_UTF8, is_western

    try:
        text, _ = decode(body, guess=is_western(media_type))
    except TableInvalid as error:
        raise FileInvalid(f"The CSV {error.bare}", hint=NOT_UTF8 if "UTF-8" in error.bare else error.hint) from error
    separator = find_separator(text.partition("\n")[0])
    _check_widths(text, separator)
    return pd.read_csv(io.StringIO(text), sep=separator, dtype={"unique_id": str})


def _check_widths(text: str, separator: str) -> None:
    """Raise FileInvalid for a row with more cells than the header, whose first ones pandas takes for an index, and for too many."""
    from models.tables.csv_text import WIDTH_HINT

    header: list[str] = []
    for place, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator), start=1):
        header = header or row
        if len(header) > MAX_COLUMNS:
            raise FileInvalid(
                f"The CSV has {len(header):,} columns; at most {MAX_COLUMNS:,} are read.", hint=FRAME_HINT
            )
        if len(row) > len(header):
            raise FileInvalid(
                f"The CSV, row {place}, has {len(row)} cells; the header has {len(header)}.", hint=WIDTH_HINT
            )


def _read_parquet(body: bytes, settings: Settings) -> "pd.DataFrame":
    """Return the frame of a Parquet file; raises as `service.observations.parquet_size.read_table`."""
    import pyarrow as pa

    from service.observations.parquet_size import read_table

    try:
        frame: pd.DataFrame = read_table(body, settings.max_observations).to_pandas()
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
    return frame.reset_index(drop=frame.index.names == [None])


@router.post("/invocations")
@router.post("/endpoints/{model}/invocations")
async def invocations(request: Request) -> Response:
    """Return the forecasts of the series of a frame."""
    return await answer(request, _decode)


@router.get("/api/2.0/endpoints/")
async def endpoints(request: Request) -> Response:
    """Return the models that answer, as `list_endpoints` of MLflow's deployment client reads them."""
    return json_response({"endpoints": [_endpoint(name) for name in list_models(request)]})


@router.get("/api/2.0/endpoints/{model}")
async def endpoint(request: Request, model: str) -> Response:
    """Return one model as `get_endpoint` reads it."""
    await find_model(request, model)
    return json_response(_endpoint(model))


def _endpoint(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "endpoint_type": "forecast",
        "model": {"name": name, "provider": "almanac"},
        "endpoint_url": f"/endpoints/{name}/invocations",
        "limit": None,
    }


@router.get("/ping")
@router.get("/health")
async def ping(request: Request) -> Response:
    """Return 200 if a request to the default model is answered."""
    if (error := service_of(request).catalog.readiness_error()) is not None:
        raise error
    return Response("\n", media_type="application/json")


@router.get("/version")
async def version() -> Response:
    """Return the version of MLflow."""
    return Response(version_of("mlflow-skinny"), media_type="text/plain")
