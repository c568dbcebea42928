"""Schema: the request of POST /forecast, as it is decoded and as the OpenAPI document describes it.

Lists fail at their first wrong item: a body that is wrong is read again field by field, and millions of errors would take gigabytes.
"""

from typing import Literal

from pydantic import Field

from models.forecasting.sampling import MOST_PATHS, MOST_WINDOWS
from models.ids import MAX_ID_LENGTH
from service.json_input import StrictModel


class Bounds(StrictModel):
    """The lowest and the highest value that a forecast may have, in the units of the values."""

    minimum: float | None = None
    maximum: float | None = None


Missing = Literal["gap", "zero"]


class SeriesRequest(StrictModel):
    """One series. `start` with `frequency`, or `timestamps`, or no dates at all."""

    id: str | None = Field(
        None,
        max_length=MAX_ID_LENGTH,
        description="By default the series' index; with `#` before it if another id is equal.",
    )
    values: list[float | None] = Field(
        description="Oldest first. null (or NaN) is a gap; infinite values are an error.", min_length=1, fail_fast=True
    )
    start: str | None = Field(None, description="Time of the first value, such as `1939-01`; needs `frequency`.")
    frequency: str | None = Field(None, description="Any pandas alias, old or new, or a word such as `monthly`.")
    timestamps: list[str] | None = Field(
        None, fail_fast=True, description="One for each value, ascending; instead of `start`."
    )
    timezone: str | None = Field(None, description="IANA name such as `Europe/Berlin`; steps then follow local time.")
    past_covariates: dict[str, list[float | None]] | None = Field(
        None,
        description="By name, the history of each covariate of the model, including those known ahead: one number for each "
        "value, null if unknown.",
    )
    future_covariates: dict[str, list[float | None]] | None = Field(
        None,
        description="By name, the covariates known ahead: one number for each step of the horizon, or for values and horizon "
        "together.",
    )
    missing: Missing | None = Field(None, description="Instead of that of the request.")
    bounds: Bounds | None = Field(None, description="Beside those of the request: the tighter hold.")
    segment: str | None = Field(
        None,
        description="Such as `North`: `model` is a family of models by segment, and that of this segment forecasts it.",
    )


class ForecastRequest(StrictModel):
    """A batch of series with common options."""

    series: list[SeriesRequest] = Field(min_length=1, fail_fast=True)
    horizon: int = Field(
        ge=1, description="Steps ahead. Beyond the trained horizon the model is applied repeatedly, with a warning."
    )
    levels: list[float] | None = Field(
        None, fail_fast=True, description="Central intervals in per cent, each in (0, 100). Default [80]."
    )
    quantiles: list[float] | None = Field(
        None, fail_fast=True, description="Quantile levels in (0, 1), in addition to the trained ones."
    )
    mean: bool | None = Field(
        None,
        description="true: each forecast has a `mean` beside the median, the average of its quantiles at 0.005, 0.015 … 0.995; the "
        "tail of rare sales is that of the newest values. Default false.",
    )
    paths: int | None = Field(
        None,
        description=f"Number of sample paths of each series, at most {MOST_PATHS}, with `paths` in each forecast: possible futures "
        "whose steps hang together. Default 0.",
    )
    seed: int | None = Field(
        None,
        description="Seed of paths and sums, a whole number from 0. The same seed and id give the same paths, whatever other series "
        "are in the request. Default 0.",
    )
    sums: list[str] | None = Field(
        None,
        fail_fast=True,
        description='Windows such as `["1-3", "1-12", "horizon"]`, the first and the last step, counted from 1: each forecast has '
        f"the distribution of the sum of their steps in `sums`. At most {MOST_WINDOWS}.",
    )
    model: str | None = Field(
        None,
        description="`name`, `name@alias`, `name/version` or `starter`, or the family of models by segment. Default: "
        "ALMANAC_MODEL, else the only registered name or family, else the starter.",
    )
    record: bool | None = Field(
        None,
        description="false: the forecasts are neither stored nor scored, and do not count as inputs. Default true.",
    )
    missing: Missing | None = Field(
        None,
        description="What a missing timestamp means: `gap`, nothing is known (default), or `zero`, such as a day without sales.",
    )
    bounds: Bounds | None = Field(None, description="Kept by medians, quantiles and intervals of every series.")
    outliers: Literal["clip", "mask"] | None = Field(
        None,
        description="What the model reads in place of implausible values such as -9999: the nearest plausible value (`clip`, "
        "default) or a gap (`mask`).",
    )


def plain_bounds(bounds: Bounds | None) -> dict[str, float | None] | None:
    """Return bounds as they were sent."""
    return None if bounds is None else {name: getattr(bounds, name) for name in bounds.model_fields_set}
