"""ModelSpec: all that a trained model promises, as one JSON file beside its network."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from models.covariates import CovariateNames
from models.errors import ArtifactIncomplete, ArtifactMismatch

FORMAT = 1
"""Version of spec.json: raised when a reader of the last one would misread the next."""

TRAINED_QUANTILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The promises of one trained model.

    Attributes:
        name: Registered name, such as `temperatures`.
        architecture: `lstm`, `gru`, `simple_rnn` or `wavenet`, `starter` or `starter_tuned` where an LSTM was not trained
            from nothing, `warm_start` where a champion was tuned (its encoder is in the options), or `ensemble` of several.
        shape: Sequence shape: `one_to_one`, `one_to_many`, `many_to_many` or `many_to_many_equal`.
        frequency: Canonical name of `models.calendar.on_calendar.Frequency`, such as `M`.
        season_length: Steps in one season.
        context_length: Steps that the graph takes (left-padded with NaN).
        encoder_length: Newest steps that the recurrent or convolutional encoder reads.
        horizon: Steps that one pass of the graph forecasts.
        quantile_levels: Levels of the graph's output, rising.
        transform: `none` or `log`; `mixed` where an ensemble's members differ.
        receptive_field: Steps back that the architecture can see at all.
        options: Architecture options (`units`, `layers`, `dilations`, …); of an ensemble `combination` and `members`, each
            with its name, weight, architecture, seed and own choices. Lengths and receptive field are then the longest
            member's, the memory the weighted mean.
        past_covariates: Names of covariates known up to the cutoff.
        future_covariates: Names of covariates known over the horizon too, holidays among them.
        holidays: Countries whose holidays are counted from the dates.
        memory: Mean absolute gradient of the forecast by lag, lag 1 first, divided by its sum.
        trained_from: First timestamp of the training data, ISO 8601, or None without dates.
        trained_to: Last timestamp of the training data.
        series_count: Series trained on.
        observation_count: Observed values trained on.
        backtest: For the model and each baseline, accuracy over the backtest and `mase_by_step`.
        validation: Accuracy on the validation origins, by which every choice was made.
        conformal: Offsets by step: `{"levels": [...], "offsets": [[per level] per step]}`, in units of the spread
            q0.9 - q0.1 of the same step.
        profile: What training inputs looked like, for input drift (`models.profile.Profile` as data).
        beats_baselines: Whether the backtest error is below that of every baseline.
        seed: Seed of the training.
        data_digest: SHA-256 of the training data.
        packages: Versions of the packages that made the network.
        run_id: MLflow run, or None where there was none.
        created: ISO 8601 time of the training.
    """

    name: str
    architecture: str
    shape: str
    frequency: str
    season_length: int
    context_length: int
    encoder_length: int
    horizon: int
    quantile_levels: tuple[float, ...] = TRAINED_QUANTILES
    transform: str = "none"
    receptive_field: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    past_covariates: tuple[str, ...] = ()
    future_covariates: tuple[str, ...] = ()
    holidays: tuple[str, ...] = ()
    memory: tuple[float, ...] = ()
    trained_from: str | None = None
    trained_to: str | None = None
    series_count: int = 0
    observation_count: int = 0
    backtest: Mapping[str, Any] = field(default_factory=dict)
    validation: Mapping[str, float] = field(default_factory=dict)
    conformal: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)
    beats_baselines: bool | None = None
    seed: int = 0
    data_digest: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None
    created: str = ""

    @property
    def covariates(self) -> CovariateNames:
        """Which covariates the graph reads, in its order."""
        return CovariateNames(self.past_covariates, self.future_covariates, self.holidays)

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as plain data, with its format."""
        return {"format": FORMAT, **asdict(self)}

    def to_json(self) -> str:
        """Return the spec as JSON text, keys in the order of the class."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the spec that `to_dict` wrote.

        Raises:
            ArtifactMismatch: If the data is of a newer format.
            ArtifactIncomplete: If a field is missing.
        """
        if data.get("format") != FORMAT:
            raise ArtifactMismatch(
                f"spec.json has format {data.get('format')!r}; this Almanac reads {FORMAT}.",
                hint="Use the Almanac version that trained the model, or train it again.",
            )
        known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        tuples = {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
        try:
            return cls(**{**known, **tuples})
        except TypeError as error:
            raise ArtifactIncomplete(f"spec.json lacks a field: {error}.", hint="Train the model again.") from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the spec that `to_json` wrote; raises as `from_dict`, or ArtifactIncomplete if it is no JSON object."""
        try:
            data = json.loads(text)
        except ValueError as error:  # no JSON, or no text at all
            raise ArtifactIncomplete(f"spec.json is no JSON: {error}.", hint="Download the model again.") from error
        if not isinstance(data, dict):
            raise ArtifactIncomplete("spec.json holds no JSON object.", hint="Download the model again.")
        return cls.from_dict(data)
