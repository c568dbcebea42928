"""Errors: everything that Almanac refuses, as one tree.

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
│   ├── TimestampsMismatched        as many timestamps as values are needed
│   ├── TimestampInvalid            text that is no date, or a date out of range
│   ├── SeriesDuplicated            one id twice in a batch
│   ├── CovariateUnknown            a covariate that the model does not read
│   ├── CovariateMissing            one that it reads and is not given
│   ├── CovariateLength             another number of its values than of steps
│   └── CovariateNotNumeric         a value of it that is not a number
├── FrequencyError
│   ├── FrequencyUnknown            an alias nobody knows
│   ├── FrequencyNotInferred        timestamps too few or too irregular to tell
│   └── FrequencyMismatch           another frequency than the model's
├── RequestError                    the question itself is wrong
│   ├── HorizonInvalid              not a whole number in [1, limit]
│   └── LevelInvalid                an interval level or quantile out of range
├── NetworkError                    a network cannot be built or exported
│   ├── ArchitectureUnknown
│   ├── OptionInvalid
│   ├── ReceptiveFieldTooShort      a WaveNet that cannot see one season
│   └── ParityFailed                ONNX and Keras disagree
├── TrainingError
│   ├── LossNotFinite               a NaN or infinity that stops a run
│   ├── DataInvalid                 a file that cannot be trained on
│   ├── ConfigInvalid               a setting that is wrong
│   └── ServiceUnreachable          no answer from the service, or not what was asked for
├── RegistryError                   the model registry cannot do what was asked
│   ├── RegistryUnreachable         no answer from the tracking server or its store
│   └── ModelUnknown                no such name, version or alias
├── ArtifactError
│   ├── ArtifactIncomplete          a file is missing or cannot be read
│   └── ArtifactMismatch            golden.json is not reproduced
└── JobError                        a job, schedule or worker: its branch is drawn in job_errors.py
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Finding:
    """What was noticed about an input, said so that a person can act on it.

    Attributes:
        code: Stable, upper-case name such as `PHASE_UNKNOWN`.
        detail: One sentence with the value met.
        pointer: JSON pointer to the place, relative to the series ("" where it is the series itself).
        hint: What to do about it ("" where nothing needs doing).
    """

    code: str
    detail: str
    pointer: str = ""
    hint: str = ""


class AlmanacError(Exception):
    """Root of the tree: a code for programs, a detail for people, a hint that says what to do.

    Args:
        detail: What is wrong, with the value met.
        pointer: JSON pointer relative to the series, such as `/values/3`.
        hint: The remedy.
    """

    code: ClassVar[str] = "ALMANAC_ERROR"

    def __init__(self, detail: str, *, pointer: str = "", hint: str = "") -> None:
        """Keep the parts apart; `str(error)` joins detail and hint."""
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
    """One timestamp stands twice."""

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
    """Text that is no date, or a date out of range."""

    code = "TIMESTAMP_INVALID"


class SeriesDuplicated(SeriesError):
    """One id twice in a batch."""

    code = "SERIES_DUPLICATED"


class CovariateUnknown(SeriesError):
    """A covariate that the model does not read."""

    code = "COVARIATE_UNKNOWN"


class CovariateMissing(SeriesError):
    """A covariate that the model reads and that is not given."""

    code = "COVARIATE_MISSING"


class CovariateLength(SeriesError):
    """Another number of a covariate's values than of steps."""

    code = "COVARIATE_LENGTH"


class CovariateNotNumeric(SeriesError):
    """A covariate's value that is not a number."""

    code = "COVARIATE_NOT_NUMERIC"


class FrequencyError(AlmanacError):
    """A frequency that cannot be used."""

    code = "FREQUENCY_INVALID"


class FrequencyUnknown(FrequencyError):
    """An alias nobody knows."""

    code = "FREQUENCY_UNKNOWN"


class FrequencyNotInferred(FrequencyError):
    """Timestamps too few or too irregular to tell their frequency."""

    code = "FREQUENCY_NOT_INFERRED"


class FrequencyMismatch(FrequencyError):
    """Another frequency than the model's."""

    code = "FREQUENCY_MISMATCH"


class RequestError(AlmanacError):
    """The question itself is wrong."""

    code = "REQUEST_INVALID"


class HorizonInvalid(RequestError):
    """A horizon that is not a whole number within the limit."""

    code = "HORIZON_INVALID"


class LevelInvalid(RequestError):
    """An interval level or quantile out of range."""

    code = "LEVEL_INVALID"


class NetworkError(AlmanacError):
    """A network that cannot be built or exported."""

    code = "NETWORK_INVALID"


class ArchitectureUnknown(NetworkError):
    """An architecture that is not in the table."""

    code = "ARCHITECTURE_UNKNOWN"


class OptionInvalid(NetworkError):
    """A network option out of range."""

    code = "OPTION_INVALID"


class ReceptiveFieldTooShort(NetworkError):
    """A WaveNet that cannot see one season."""

    code = "RECEPTIVE_FIELD_TOO_SHORT"


class ParityFailed(NetworkError):
    """ONNX and Keras disagree."""

    code = "PARITY_FAILED"


class TrainingError(AlmanacError):
    """A training that cannot go on."""

    code = "TRAINING_FAILED"


class LossNotFinite(TrainingError):
    """A loss that became NaN or infinite, at an optimizer step."""

    code = "LOSS_NOT_FINITE"

    def __init__(self, detail: str, *, step: int = 0, hint: str = "") -> None:
        """Keep the step apart, so that a run can be tagged with it."""
        super().__init__(detail, hint=hint)
        self.step = step


class DataInvalid(TrainingError):
    """A file that cannot be trained on."""

    code = "DATA_INVALID"


class ConfigInvalid(TrainingError):
    """A setting that is wrong."""

    code = "CONFIG_INVALID"


class ServiceUnreachable(TrainingError):
    """No answer from the service, or not what was asked for."""

    code = "SERVICE_UNREACHABLE"


class RegistryError(AlmanacError):
    """The model registry cannot do what was asked."""

    code = "REGISTRY_FAILED"


class RegistryUnreachable(RegistryError):
    """No answer from the tracking server or its store."""

    code = "REGISTRY_UNREACHABLE"


class ModelUnknown(RegistryError):
    """No such model name, version or alias."""

    code = "MODEL_UNKNOWN"


class ArtifactError(AlmanacError):
    """A model at rest that cannot be used."""

    code = "ARTIFACT_INVALID"


class ArtifactIncomplete(ArtifactError):
    """A file of the artifact is missing or cannot be read."""

    code = "ARTIFACT_INCOMPLETE"


class ArtifactMismatch(ArtifactError):
    """The golden forecasts are not reproduced."""

    code = "ARTIFACT_MISMATCH"
