"""Build: the table of architectures, and one function that makes a network of any of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras

from models.networks import gru, lstm, simple_rnn, wavenet
from models.networks.covariates import CovariateFeatures, encode_covariates
from models.networks.decoder import EMBEDDING, Anchors, SeasonalDifference, SeasonPosition, decode
from models.networks.errors import ArchitectureUnknown, OptionInvalid
from models.networks.layer import Layer
from models.networks.normalization import Normalize, NormalizeGlobally, Restore, unsquash
from models.spec import TRAINED_QUANTILES

ENCODERS: dict[str, Callable[..., Any]] = {
    "lstm": lstm.encode,
    "gru": gru.encode,
    "simple_rnn": simple_rnn.encode,
    "wavenet": wavenet.encode,
}

SHAPES = ("one_to_one", "one_to_many", "many_to_many", "many_to_many_equal")


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How a network is built.

    Attributes:
        architecture: A key of `ENCODERS`.
        horizon: Steps ahead.
        season_length: Steps in one season.
        context_length: Steps that the graph takes.
        encoder_length: Newest of these that the encoder reads.
        shape: `one_to_one` (context 1, horizon 1), `one_to_many` (context 1), `many_to_many` (encoder, then the
            horizon) or `many_to_many_equal` (a forecast from every step that the encoder reads).
        seasons: Season lengths whose means and differences the network reads; those beyond the context are left out.
        units: Width of each layer.
        layers: Stacked recurrent layers.
        dilations: Dilations of a WaveNet.
        transform: `none` or `log`.
        quantile_levels: Rising, odd in number, 0.5 in the middle.
        past_covariates: Number of covariates known up to the cutoff only.
        future_covariates: Number of covariates known over the horizon too.
        calendar: Whether the network reads the season position of its steps; seasonal means go by lag and do not need it.
    """

    architecture: str
    horizon: int
    season_length: int
    context_length: int
    encoder_length: int
    shape: str = "many_to_many"
    seasons: tuple[int, ...] = ()
    units: int = 64
    layers: int = 2
    dilations: tuple[int, ...] = wavenet.DILATIONS
    transform: str = "none"
    quantile_levels: tuple[float, ...] = TRAINED_QUANTILES
    past_covariates: int = 0
    future_covariates: int = 0
    calendar: bool = True

    def __post_init__(self) -> None:
        """Refuse options that cannot be built.

        Raises:
            ArchitectureUnknown: If the architecture is unknown.
            OptionInvalid: If another option is out of range.
            ReceptiveFieldTooShort: If a WaveNet cannot see one season.
        """
        if self.architecture not in ENCODERS:
            raise ArchitectureUnknown(
                f"Unknown architecture {self.architecture!r}.", hint=f"Choose one of {', '.join(ENCODERS)}."
            )
        if self.shape not in SHAPES:
            raise OptionInvalid(f"Unknown sequence shape {self.shape!r}.", hint=f"Choose one of {', '.join(SHAPES)}.")
        if self.transform not in {"none", "log"}:
            raise OptionInvalid(f"Unknown transform {self.transform!r}.", hint="Choose none or log.")
        self._check_lengths()
        if self.architecture == "wavenet" and not self.shape.startswith("one_to"):
            wavenet.check_receptive_field(self.used_dilations, self.season_length)

    def _check_lengths(self) -> None:
        """Refuse lengths that do not match each other or the shape."""
        for field in ("horizon", "season_length", "context_length", "encoder_length", "units", "layers"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise OptionInvalid(f"{field} must be a whole number of 1 or more. Received: {value!r}.")
        if self.encoder_length > self.context_length:
            raise OptionInvalid(
                f"encoder_length must not be above context_length. Received: {self.encoder_length} and {self.context_length}."
            )
        if self.shape.startswith("one_to") and self.context_length != 1:
            raise OptionInvalid(f"Shape {self.shape} has a context of 1. Received: {self.context_length}.")
        if self.shape == "one_to_one" and self.horizon != 1:
            raise OptionInvalid(f"Shape one_to_one has a horizon of 1. Received: {self.horizon}.")
        levels = self.quantile_levels
        if len(levels) % 2 == 0 or levels[len(levels) // 2] != 0.5 or list(levels) != sorted(set(levels)):  # noqa: PLR2004
            raise OptionInvalid(f"Quantile levels must rise with 0.5 in the middle. Received: {list(levels)}.")

    @property
    def used_dilations(self) -> tuple[int, ...]:
        """The dilations that reach a step the encoder reads."""
        return wavenet.usable_dilations(self.dilations, self.encoder_length)

    @property
    def supervised_steps(self) -> int:
        """Number of steps of a training window from which a forecast is made."""
        return self.encoder_length if self.shape == "many_to_many_equal" else 1

    def receptive_field(self) -> int:
        """Return how many steps back the encoder can see: all that it reads, or those that WaveNet's dilations reach."""
        if self.architecture != "wavenet":
            return self.encoder_length
        return min(wavenet.receptive_field(self.used_dilations), self.encoder_length)


def build(options: NetworkOptions, *, supervised_steps: int = 1) -> keras.Model:
    """Return a network from raw context and phase to quantiles in raw units.

    Inputs: `context` (batch, context_length) float64; `phase` (batch,) int32; with covariates also `past_covariates`
    (batch, context_length, all of them, those known ahead last) and, where some are known ahead, `future_covariates`
    (batch, horizon, those), both float64.
    Outputs, a dict: `quantiles` (batch, supervised_steps, horizon, levels) float64 in raw units; `scaled`, the same in
    units of the window's scale, float32; `level`, `scale`, `unit` (batch, 1) float64; `logged` (batch, 1) bool.

    Args:
        options: How to build it.
        supervised_steps: Number of newest steps from which a forecast is made: 1 to forecast, more to train at every step.
            Networks with the same options have the same weights for any number.
    """
    context = keras.Input((options.context_length,), dtype="float64", name="context")
    phase = keras.Input((), dtype="int32", name="phase")
    window = _normalization(options, supervised_steps)(context)
    known = _covariates(window, options, supervised_steps)
    channels = _channels(window, phase, options, known)
    state = ENCODERS[options.architecture](
        channels,
        units=options.units,
        layers=options.layers,
        dilations=options.used_dilations,
        every_step=supervised_steps > 1,
    )
    state = state[:, -supervised_steps:, :] if supervised_steps > 1 else keras.layers.Reshape((1, options.units))(state)
    seasons = options.seasons or (options.season_length,)
    anchors = Anchors(seasons, supervised_steps, options.horizon)(window["values"], window["mask"])
    ahead = [[step + one for one in range(options.horizon)] for step in range(1 - supervised_steps, 1)]
    season = _embedding(options)(_positions(options, ahead)(phase))
    levels = len(options.quantile_levels)
    z = decode(state, anchors, season, units=options.units, levels=levels, seasons=len(seasons), known=known)
    scaled = Unsquash(name="scaled")(z)
    raw = Restore(name="quantiles")(scaled, window["level"], window["scale"], window["logged"])
    parts = {key: window[key] for key in ("level", "scale", "unit", "logged")}
    inputs = [context, phase, *(known.inputs if known else ())]
    return keras.Model(inputs, {"quantiles": raw, "scaled": scaled, **parts}, name=options.architecture)


def serving_network(network: keras.Model, options: NetworkOptions) -> keras.Model:
    """Return the network to export: the same weights, a forecast from the newest step only.

    Output: `quantiles` (batch, horizon, levels) float64.
    """
    single = build(options)
    single.set_weights(network.get_weights())
    quantiles = single.output["quantiles"][:, 0]
    return keras.Model(single.inputs, quantiles, name=options.architecture)


def with_shape(options: NetworkOptions, shape: str) -> NetworkOptions:
    """Return the options with another sequence shape and its lengths."""
    if shape == "one_to_one":
        return replace(options, shape=shape, context_length=1, encoder_length=1, horizon=1)
    if shape == "one_to_many":
        return replace(options, shape=shape, context_length=1, encoder_length=1)
    return replace(options, shape=shape)


@keras.saving.register_keras_serializable(package="almanac")
class Unsquash(Layer):
    """From z to scaled units, any shape."""

    def call(self, z: Any) -> Any:
        """Return u = 3 sinh(z / 2)."""
        return unsquash(z)


def _normalization(options: NetworkOptions, supervised_steps: int) -> keras.layers.Layer:
    """Return the normalization by the window, or by the training set for a context of one value."""
    if options.context_length == 1:
        return NormalizeGlobally(name="normalize")
    seen = options.context_length - supervised_steps + 1
    return Normalize(options.season_length, seen, options.transform, name="normalize")


def _embedding(options: NetworkOptions) -> keras.layers.Layer:
    """Return an embedding of the season position, with one position for unknown."""
    return keras.layers.Embedding(options.season_length + 1, EMBEDDING, name="target_season")


def _covariates(window: dict[str, Any], options: NetworkOptions, supervised_steps: int) -> CovariateFeatures | None:
    """Return the covariate features of the network, or None without covariates."""
    if not options.past_covariates + options.future_covariates:
        return None
    return encode_covariates(
        window,
        past=options.past_covariates,
        ahead=options.future_covariates,
        seasons=options.seasons or (options.season_length,),
        steps=supervised_steps,
        horizon=options.horizon,
    )


def _positions(options: NetworkOptions, offsets: Any) -> keras.layers.Layer:
    """Return the layer from a phase to season positions around the cutoff; without a calendar they are unknown."""
    return SeasonPosition(options.season_length, offsets, known=options.calendar)


def _channels(window: dict[str, Any], phase: Any, options: NetworkOptions, known: CovariateFeatures | None) -> Any:
    """Return the encoder's input, (batch, encoder_length, channels): z, seasonal differences, mask, season, covariates."""
    read = slice(options.context_length - options.encoder_length, None)
    columns = [window["values"], window["mask"]]
    columns += [
        SeasonalDifference(season)(window["values"], window["mask"])
        for season in options.seasons or (options.season_length,)
        if season < options.context_length
    ]
    stacked = [keras.layers.Reshape((options.encoder_length, 1))(column[:, read]) for column in columns]
    past = list(range(-options.encoder_length, 0))
    season = keras.layers.Embedding(options.season_length + 1, EMBEDDING, name="past_season")(
        _positions(options, past)(phase)
    )
    return keras.layers.Concatenate()([*stacked, season, *([known.channels[:, read]] if known else [])])
