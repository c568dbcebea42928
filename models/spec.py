"""ModelSpec: what a trained model is and how accurate it was, as one JSON file (spec.json) beside its network."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from models.covariates import CovariateNames
from models.errors import ArtifactIncomplete, ArtifactMismatch
from models.spec_fields import check_fields

FORMAT, BLENDED_FORMAT = 1, 2
"""Version of spec.json: raised when a reader of the last one would misread the next. A reader of 1 would leave the blend out."""

TRAINED_QUANTILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """How a network is built and fitted, or what an ensemble is made of; None where a choice does not apply.

    Attributes:
        units: Width of each layer.
        layers: Stacked recurrent layers.
        dilations: Dilations of a WaveNet.
        seasons: Season lengths whose means and differences the network reads.
        calendar: Whether the network reads the season position of its steps.
        encoder: Architecture of a warm start's network, a key of `models.networks.build.ENCODERS`.
        tuned_share: Share of the fine-tuned weights in a fine-tuned network; 0 is the network as it was.
        synthetic_share: Share of synthetic windows in its training.
        steps: Optimizer steps of the chosen schedule.
        last_steps: Steps of the last training, on all data, where it is not the whole schedule.
        jit_compile: Whether XLA compiled the training steps.
        nonnegative: Whether no value that it was trained on is below 0.
        blend: How the model in the folder `models.artifact.SEASONLESS` is blended in, `models.forecasting.season_blend.Blend` as data.
        combination: How the ensemble weights were chosen: `equal`, `inverse_pinball`, `greedy` or `cautious`.
        members: Of an ensemble.
        others: Keys of spec.json that are null or unknown to this version; they are written back as they were read.
    """

    units: int | None = None
    layers: int | None = None
    dilations: tuple[int, ...] | None = None
    seasons: tuple[int, ...] | None = None
    calendar: bool | None = None
    encoder: str | None = None
    tuned_share: float | None = None
    synthetic_share: float | None = None
    steps: int | None = None
    last_steps: int | None = None
    combination: str | None = None
    members: "tuple[EnsembleMember, ...]" = ()
    nonnegative: bool | None = None
    jit_compile: bool | None = None
    blend: Mapping[str, Any] | None = None
    others: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain data, without those that do not apply."""
        return _to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the options that `to_dict` wrote."""
        valued, others = _read(cls, data)
        members = tuple(EnsembleMember.from_dict(one) for one in valued.pop("members", ()))
        return cls(**valued, members=members, others=others)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleMember:
    """One network of an ensemble.

    Attributes:
        name: Name among the candidates, such as `lstm/0`.
        weight: Its share of the forecast.
        architecture: As in `ModelSpec`, and so are the next five.
        validation_mase: Its own, None where it could not be validated.
        options: As in `ModelSpec`.
        others: As in `ModelOptions`.
    """

    name: str
    weight: float
    architecture: str | None = None
    seed: int | None = None
    transform: str | None = None
    context_length: int | None = None
    encoder_length: int | None = None
    receptive_field: int | None = None
    validation_mase: float | None = None
    options: ModelOptions | None = None
    others: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the member as plain data."""
        return _to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the member that `to_dict` wrote."""
        valued, others = _read(cls, data)
        options = valued.pop("options", None)
        return cls(**valued, options=None if options is None else ModelOptions.from_dict(options), others=others)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What one trained model is and how accurate it was.

    Attributes:
        name: Registered name, such as `temperatures`.
        architecture: `lstm`, `gru`, `simple_rnn` or `wavenet`; `starter` or `starter_tuned` for a pretrained LSTM as it is
            or fine-tuned; `warm_start` for a fine-tuned champion (`options.encoder` says which network); or `ensemble`.
        shape: Sequence shape: `one_to_one`, `one_to_many`, `many_to_many` or `many_to_many_equal`.
        frequency: Canonical name of `models.calendar.zoned_grid.Frequency`, such as `M`.
        season_length: Steps in one season.
        context_length: Steps that the graph takes (left-padded with NaN).
        encoder_length: Newest steps that the recurrent or convolutional encoder reads.
        horizon: Steps that one pass of the graph forecasts.
        quantile_levels: Levels of the graph's output, rising.
        transform: `none` or `log`; `mixed` where an ensemble's members differ.
        receptive_field: Steps back that the architecture can see at all.
        options: How the network was built and fitted, or the members of an ensemble. Lengths and receptive field are then
            the longest member's, the memory is the weighted mean.
        past_covariates: Names of covariates known up to the cutoff.
        future_covariates: Names of covariates known over the horizon too, holidays among them.
        holidays: Countries whose holidays are counted from the dates.
        memory: Mean absolute gradient of the forecast by lag, lag 1 first, divided by its sum.
        trained_from: First timestamp of the training data, ISO 8601, or None without dates.
        trained_to: Last timestamp of the training data.
        series_count: Series trained on.
        observation_count: Observed values trained on.
        backtest: For the model and each baseline, accuracy over the backtest and `mase_by_step`.
        validation: Accuracy on the validation origins, on which every choice was made.
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
    options: ModelOptions = field(default_factory=ModelOptions)
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
        version = FORMAT if self.options.blend is None else BLENDED_FORMAT
        return {"format": version, **asdict(self), "options": self.options.to_dict()}

    def to_json(self) -> str:
        """Return the spec as JSON text, keys in the order of the class."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the spec that `to_dict` wrote; raises ArtifactMismatch, ArtifactIncomplete."""
        written = data.get("format")
        if written not in {FORMAT, BLENDED_FORMAT}:
            is_newer = isinstance(written, int) and written > BLENDED_FORMAT
            raise ArtifactMismatch(
                f"spec.json has format {written!r}; this Almanac reads {FORMAT} and {BLENDED_FORMAT}.",
                hint="A newer Almanac wrote it: upgrade this one, and restart the service."
                if is_newer
                else "Use the Almanac version that trained the model, or train it again.",
            )
        known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        tuples = {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
        check_fields({**known, **tuples})
        try:
            return cls(**{**known, **tuples, "options": ModelOptions.from_dict(known.get("options", {}))})
        except (AttributeError, TypeError) as error:
            raise ArtifactIncomplete(
                f"spec.json has no valid fields: {error}.", hint="Train the model again."
            ) from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the spec that `to_json` wrote; raises as `from_dict`, or ArtifactIncomplete if it is not a JSON object."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:  # no JSON, or no text at all
            raise ArtifactIncomplete(
                f"spec.json is not valid JSON: {error}.", hint="Download the model again."
            ) from error
        if not isinstance(data, dict):
            raise ArtifactIncomplete("spec.json is not a JSON object.", hint="Download the model again.")
        return cls.from_dict(data)


def _to_dict(choices: ModelOptions | EnsembleMember) -> dict[str, Any]:
    """Return fields that have a value as plain data, and other keys as they were read."""
    others, columns = choices.others, [one for one in fields(choices) if one.name != "others"]
    values = {one.name: getattr(choices, one.name) for one in columns}
    written = {one.name for one in columns if values[one.name] != one.default} | others.keys()
    return {name: _plain(value) for name, value in {**others, **values}.items() if name in written}


def _plain(value: Any) -> Any:  # noqa: ANN401 - a field of any type
    if isinstance(value, ModelOptions | EnsembleMember):
        return value.to_dict()
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _read(cls: type, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what has a field and a value, lists as tuples, and what does not."""
    names = {one.name for one in fields(cls)} - {"others"}
    others = {key: value for key, value in data.items() if value is None or key not in names}
    valued = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return {key: value for key, value in valued.items() if key not in others}, others
