"""Errors: the root of all errors, and those of series, requests, trainings, the registry and artifacts.

AlmanacError
├── SeriesError                     a series cannot be used as it is
│   ├── SeriesEmpty                 no values
│   ├── SeriesAllMissing            values, but every one a gap
│   ├── SeriesInfinite              +inf or -inf
│   ├── SeriesNotNumeric            a value that is not a number
│   ├── SeriesTooShort              fewer points than the operation needs
│   ├── SeriesTooLong               more points than the service accepts
│   ├── ScaleZero                   a history that repeats itself, so that scaled errors are undefined
│   ├── TimestampsDuplicated        one timestamp twice
│   ├── TimestampsOutOfOrder        a later timestamp before an earlier one
│   ├── TimestampsOffCalendar       timestamps that do not lie on the frequency
│   ├── TimestampsMismatched        another number of timestamps than of values
│   ├── TimestampInvalid            text that is not a date, or a date out of range
│   ├── SeriesDuplicated            one id twice in a batch
│   ├── BoundsInvalid               bounds of forecasts that cannot be kept: models/irregular/bounds.py
│   ├── ForecastNotFinite           values so large that the forecast overflows
│   ├── CovariateUnknown            a covariate that the model does not read
│   ├── CovariateMissing            a covariate that the model reads and that is not given
│   ├── CovariateLength             another number of values than of steps
│   └── CovariateNotNumeric         a value that is not a number
├── FrequencyError
│   ├── FrequencyUnknown            an unknown alias, or one that is not supported
│   ├── FrequencyNotInferred        too few or too irregular timestamps; FiscalPeriods: models/calendar/exact_frequency.py
│   └── FrequencyMismatch           another frequency than the model's
├── RequestError                    a request that is wrong as a whole
│   ├── HorizonInvalid              not a whole number in [1, limit]
│   └── LevelInvalid                an interval level or quantile out of range
├── TrainingError
│   ├── LossNotFinite               a NaN or infinity that stops a run
│   ├── DataInvalid                 a file that cannot be trained on
│   ├── ConfigInvalid               an invalid setting
│   └── ServiceUnreachable          no response from the service, or an unexpected one
├── RegistryError                   the model registry cannot carry out a request
│   ├── RegistryUnreachable         no response from the tracking server or its store
│   ├── HomeMoved                   a home that was moved or copied
│   ├── PromotionRefused            live scores do not let a version become champion
│   └── ModelUnknown                no such name, version or alias
│       └── PreviousMissing         no champion to roll back to
├── ArtifactError
│   ├── ArtifactIncomplete          a file is missing or cannot be read
│   └── ArtifactMismatch            golden.json is not reproduced
├── NetworkError                    a network cannot be built or exported: models/networks/errors.py
└── JobError                        a job, schedule or worker: models/jobs/errors.py
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Finding:
    """A warning or error about an input, as data.

    Attributes:
        code: Stable, upper-case name such as `PHASE_UNKNOWN`.
        detail: One sentence with the value received.
        pointer: JSON pointer to the place, relative to the series; "" for the series itself.
        hint: The remedy; "" if there is nothing to do.
    """

    code: str
    detail: str
    pointer: str = ""
    hint: str = ""


class AlmanacError(Exception):
    """Root of all errors: a code for programs, a detail and a hint for people.

    Args:
        detail: What is wrong, with the value received.
        pointer: JSON pointer relative to the series, such as `/values/3`.
        hint: The remedy.

    Attributes:
        ids: The series that an error of `import almanac` is about; empty elsewhere.
    """

    code: ClassVar[str] = "ALMANAC_ERROR"
    ids: tuple[str, ...] = ()

    def __init__(self, detail: str, *, pointer: str = "", hint: str = "") -> None:
        """Keep the parts; `str(error)` joins detail and hint."""
        super().__init__(f"{detail} {hint}".strip())
        self.detail = detail
        self.pointer = pointer
        self.hint = hint

    def finding(self) -> Finding:
        """Return this error as data."""
        return Finding(self.code, self.detail, self.pointer, self.hint)


class SeriesError(AlmanacError):
    """A series cannot be used as it is."""

    code = "SERIES_INVALID"


class SeriesEmpty(SeriesError):
    """A series without values."""

    code = "SERIES_EMPTY"


class SeriesAllMissing(SeriesError):
    """A series whose every value is a gap."""

    code = "SERIES_ALL_MISSING"


class SeriesInfinite(SeriesError):
    """A series with an infinite value."""

    code = "SERIES_INFINITE"


class SeriesNotNumeric(SeriesError):
    """A series with a value that is not a number."""

    code = "SERIES_NOT_NUMERIC"


class SeriesTooShort(SeriesError):
    """Fewer points than the operation needs."""

    code = "SERIES_TOO_SHORT"


class SeriesTooLong(SeriesError):
    """More points than the service accepts."""

    code = "SERIES_TOO_LONG"


class ScaleZero(SeriesError):
    """A history that repeats itself exactly, so that scaled errors are undefined."""

    code = "SCALE_ZERO"


class TimestampsDuplicated(SeriesError):
    """One timestamp occurs twice."""

    code = "TIMESTAMPS_DUPLICATED"


class TimestampsOutOfOrder(SeriesError):
    """Timestamps that do not rise."""

    code = "TIMESTAMPS_OUT_OF_ORDER"


class TimestampsOffCalendar(SeriesError):
    """Timestamps that do not lie on the frequency."""

    code = "TIMESTAMPS_OFF_CALENDAR"


class TimestampsMismatched(SeriesError):
    """Another number of timestamps than of values."""

    code = "TIMESTAMPS_MISMATCHED"


class TimestampInvalid(SeriesError):
    """Text that is not a date, or a date out of range."""

    code = "TIMESTAMP_INVALID"


class SeriesDuplicated(SeriesError):
    """One id twice in a batch."""

    code = "SERIES_DUPLICATED"


class ForecastNotFinite(SeriesError):
    """Values so large that the forecast overflows."""

    code = "FORECAST_NOT_FINITE"

    def __init__(self) -> None:
        """Say so."""
        super().__init__(
            "The forecast overflows: the values are too large.", pointer="/values", hint="Send them in a larger unit."
        )


class CovariateUnknown(SeriesError):
    """A covariate that the model does not read."""

    code = "COVARIATE_UNKNOWN"


class CovariateMissing(SeriesError):
    """A covariate that the model reads and that is not given."""

    code = "COVARIATE_MISSING"


class CovariateLength(SeriesError):
    """Another number of values of a covariate than of steps."""

    code = "COVARIATE_LENGTH"


class CovariateNotNumeric(SeriesError):
    """A value of a covariate that is not a number."""

    code = "COVARIATE_NOT_NUMERIC"


class FrequencyError(AlmanacError):
    """A frequency that cannot be used."""

    code = "FREQUENCY_INVALID"


class FrequencyUnknown(FrequencyError):
    """An unknown alias, or one that is not supported."""

    code = "FREQUENCY_UNKNOWN"


class FrequencyNotInferred(FrequencyError):
    """Too few or too irregular timestamps to infer a frequency."""

    code = "FREQUENCY_NOT_INFERRED"


class FrequencyMismatch(FrequencyError):
    """Another frequency than the model's."""

    code = "FREQUENCY_MISMATCH"


class RequestError(AlmanacError):
    """A request that is wrong as a whole."""

    code = "REQUEST_INVALID"


class HorizonInvalid(RequestError):
    """A horizon that is not a whole number within the limit."""

    code = "HORIZON_INVALID"


class LevelInvalid(RequestError):
    """An interval level or quantile out of range."""

    code = "LEVEL_INVALID"


class SamplingInvalid(RequestError):
    """A number of sample paths, a seed or a window of sums out of range."""

    code = "SAMPLING_INVALID"


class TrainingError(AlmanacError):
    """A training that cannot continue."""

    code = "TRAINING_FAILED"


class LossNotFinite(TrainingError):
    """A loss that became NaN or infinite, at an optimizer step."""

    code = "LOSS_NOT_FINITE"

    def __init__(self, detail: str, *, step: int = 0, hint: str = "") -> None:
        """Keep the step, so that a run can be tagged with it."""
        super().__init__(detail, hint=hint)
        self.step = step


class DataInvalid(TrainingError):
    """A file that cannot be trained on."""

    code = "DATA_INVALID"


class ConfigInvalid(TrainingError):
    """An invalid setting."""

    code = "CONFIG_INVALID"


class ServiceUnreachable(TrainingError):
    """No response from the service, or an unexpected one."""

    code = "SERVICE_UNREACHABLE"


class RegistryError(AlmanacError):
    """The model registry cannot carry out a request."""

    code = "REGISTRY_FAILED"


class RegistryUnreachable(RegistryError):
    """No response from the tracking server or its store."""

    code = "REGISTRY_UNREACHABLE"


class HomeMoved(RegistryError):
    """A home that was moved or copied, whose database names artifacts in another folder."""

    code = "HOME_MOVED"


class PromotionRefused(RegistryError):
    """A promotion that asks for live scores, which are too few or worse than the champion's."""

    code = "PROMOTION_REFUSED"


class ModelUnknown(RegistryError):
    """No such model name, version or alias."""

    code = "MODEL_UNKNOWN"


class PreviousMissing(ModelUnknown):
    """A rollback of a model that has no previous champion."""

    code = "NO_PREVIOUS_CHAMPION"


class ArtifactError(AlmanacError):
    """A stored model that cannot be used."""

    code = "ARTIFACT_INVALID"


class ArtifactIncomplete(ArtifactError):
    """A file of the artifact is missing or cannot be read."""

    code = "ARTIFACT_INCOMPLETE"


class ArtifactMismatch(ArtifactError):
    """The golden forecasts are not reproduced."""

    code = "ARTIFACT_MISMATCH"
