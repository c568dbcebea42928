"""Nixtla's fields: what NixtlaClient sends, checked, and its flat arrays as series of POST /forecast."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from models.covariates import CovariateNames
from service.api.dialects.answering import DialectUnsupported
from service.errors import FieldInvalid
from service.forecasting.entries import parse_one_by_one
from service.forecasting.request import ForecastQuery, check_entries, parse_options
from service.json_input import describe_value, invalid_field
from service.selector import SelectedModel
from service.settings import Settings

Numbers = list[float | None]
Whole = Annotated[int, Field(ge=1)]
THEIR_MODEL = re.compile(r"(?:timegpt|azureai)(?:[-.\w]*)", re.IGNORECASE)
POLARS_MINUTES = re.compile(r"(\d+)m")


class NixtlaSeries(BaseModel):
    """The series, one after the other without their ids."""

    model_config = ConfigDict(extra="ignore")

    y: Numbers = Field(min_length=1)
    sizes: list[Whole] = Field(min_length=1)
    X: list[Numbers] | None = None
    X_future: list[Numbers] | None = None
    start_datetime: list[str] | None = None
    categorical_exog: list[int] | None = None


class NixtlaRequest(BaseModel):
    """The fields of every request; `h`, `level` and `model` are checked where /forecast checks its own."""

    model_config = ConfigDict(extra="ignore")

    series: NixtlaSeries
    freq: str
    model: Any = None
    h: Any = None
    level: Any = None
    n_windows: Whole = 1
    step_size: Whole | None = None
    detection_size: Whole | None = None
    hist_exog: list[int] | None = None
    full_history: bool = False
    finetune_steps: int = 0
    finetune_depth: int = 1
    finetune_loss: str = "default"
    finetuned_model_id: str | None = None
    feature_contributions: bool = False
    feature_contributions_type: str = "shapley"
    multivariate: bool = False
    model_parameters: dict[str, Any] | None = None
    threshold_method: str = "univariate"
    clean_ex_first: bool = True
    refit: bool = True


def model_of(name: object) -> str | None:
    """Return a model's name as `model` of POST /forecast: every TimeGPT is the default model."""
    if name is None or (isinstance(name, str) and THEIR_MODEL.fullmatch(name)):
        return None
    if not (isinstance(name, str) and name):
        raise invalid_field("model", name, "Send `timegpt-1` for the default model, or the name of a model of yours.")
    return name


def frequency_of(alias: str) -> str:
    """Return a frequency as Almanac reads it: `15m` is of polars, and there minutes."""
    minutes = POLARS_MINUTES.fullmatch(alias)
    return f"{minutes[1]}min" if minutes else alias


def refuse_unsupported(sent: NixtlaRequest) -> None:
    """Raise DialectUnsupported for the first thing that only Nixtla's own models do."""
    asked = {
        "finetune_steps": sent.finetune_steps,
        "finetuned_model_id": sent.finetuned_model_id,
        "feature_contributions": sent.feature_contributions,
        "multivariate": sent.multivariate,
        "model_parameters": sent.model_parameters,
        "threshold_method": sent.threshold_method if sent.threshold_method != "univariate" else None,
        "categorical_exog": sent.series.categorical_exog,
    }
    remedies = {
        "finetune_steps": "Leave it out; train a model with `almanac train` and send its name as `model`.",
        "finetuned_model_id": "Leave it out; send the name of a trained model as `model`.",
        "categorical_exog": "Leave it out; send numbers as exogenous columns to a model that was trained with them.",
    }
    for name, value in asked.items():
        if value:
            raise DialectUnsupported(
                f"Almanac does not support `{name}` in a request. Received: {describe_value(value)}.",
                pointer=f"/{name}",
                hint=remedies.get(name, "Leave it out."),
            )


def not_numeric(error: FieldInvalid) -> DialectUnsupported:
    """Return the error of an exogenous column that is no numbers, as `categorical_exog_list` sends them."""
    value = error.detail.partition(" is ")[2]
    return DialectUnsupported(
        f"Almanac does not support `categorical_exog`: an exogenous column has {value}",
        pointer=error.pointer,
        hint="Send numbers as exogenous columns to a model that was trained with them.",
    )


def read_query(sent: NixtlaRequest, selected: SelectedModel, settings: Settings) -> ForecastQuery:
    """Return the query of all series, each with the name of its place.

    Raises:
        FieldInvalid: If the parts do not fit together.
        HorizonInvalid, LevelInvalid, BatchTooLarge: As for POST /forecast.
    """
    horizon = 1 if sent.h is None else sent.h
    levels = [] if sent.level is None else sent.level if isinstance(sent.level, list) else [sent.level]
    wanted = [level for level in levels if level != 0 or isinstance(level, bool)]
    query = parse_options({"horizon": horizon, "levels": wanted}, settings.max_horizon)
    check_entries(sent.series.sizes, query.horizon, settings)
    _check_lengths(sent.series, query.horizon)
    names = _names(sent, selected)
    return parse_one_by_one(query, _entries(sent, names, query.horizon), frozenset(), settings)


def _check_lengths(series: NixtlaSeries, horizon: int) -> None:
    """Raise FieldInvalid if a part has not as many elements as the series need."""
    count, total = len(series.sizes), sum(series.sizes)
    parts: list[tuple[str, Sequence[Any] | None, int]] = [
        ("y", series.y, total),
        ("start_datetime", series.start_datetime, count),
        *((f"X/{place}", column, total) for place, column in enumerate(series.X or ())),
        *((f"X_future/{place}", column, count * horizon) for place, column in enumerate(series.X_future or ())),
    ]
    for name, part, needed in parts:
        if part is not None and len(part) != needed:
            raise FieldInvalid(
                f"`{name}` has {len(part)} elements; {count} series need {needed}.",
                pointer=f"/series/{name}",
                hint="`sizes` has the length of each series in `y`.",
            )


def _names(sent: NixtlaRequest, selected: SelectedModel) -> tuple[str, ...]:
    """Return the model's names of the exogenous columns, which come without: those known ahead first, as the SDK sends them.

    Raises:
        FieldInvalid: If the model reads others, or none.
    """
    columns, ahead = len(sent.series.X or ()), len(sent.series.X_future or ())
    spec = selected.model.forecaster.spec
    names = CovariateNames.make(spec.past_covariates, spec.future_covariates)
    if sent.series.X_future is None and sent.h is not None:
        ahead = columns - len(sent.hist_exog) if sent.hist_exog is not None else len(names.future)
    if (columns, ahead) == (len(names.all), len(names.future)):
        return (*names.future, *names.past)
    model, later, earlier = selected.model.name, ", ".join(names.future), ", ".join(names.past)
    raise FieldInvalid(
        f"The request has {columns} exogenous columns, {ahead} of them with a future. The model {model} reads "
        f"{len(names.all)}: with a future {later or 'none'}; without {earlier or 'none'}.",
        pointer="/series/X",
        hint="Send exactly the columns that the model was trained with, in this order, those with a future in X_df and the "
        "others in hist_exog_list."
        if names.all
        else "Leave the columns, X_df and date_features out, or name a model that was trained with covariates.",
    )


def _entries(sent: NixtlaRequest, names: Sequence[str], horizon: int) -> Iterator[dict[str, Any]]:
    """Yield each series as an entry of POST /forecast."""
    series, at = sent.series, 0
    ahead = len(series.X_future or ())
    for place, size in enumerate(series.sizes):
        rows, later = slice(at, at + size), slice(place * horizon, (place + 1) * horizon)
        at += size
        entry: dict[str, Any] = {"values": series.y[rows], "frequency": frequency_of(sent.freq)}
        if series.start_datetime is not None:
            entry["start"] = series.start_datetime[place]
        if series.X:
            entry["past_covariates"] = {name: one[rows] for name, one in zip(names, series.X, strict=True)}
        if series.X_future:
            entry["future_covariates"] = {
                name: one[later] for name, one in zip(names[:ahead], series.X_future, strict=True)
            }
        yield entry
