"""Setting bounds: the range of every number in a training's configuration, the same for files, the command line and REST."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.errors import ConfigInvalid
from models.json_values import json_pointer

DAYS_30 = 30 * 86_400
MOST_SEED = 2**32 - 1
"""The largest seed that NumPy and Keras accept."""

MOST_PARAMETERS = 50_000_000
"""Weights of one network; the default LSTM has about 70,000."""

MOST_MEGABYTES = 64_000
"""Estimated memory of one training step, in 10⁶ bytes, on any machine; a worker allows what its own has."""

QUANTILES, EMBEDDING = 9, 8
"""Outputs of each forecast step, and numbers by which a network knows the step."""

LONGEST_CHOSEN = {"context_length": 2048, "encoder_length": 128}
"""The longest that a training chooses where the configuration leaves the length open."""

NUMBERS_KEPT = 16
"""Numbers that training keeps for each step, unit and layer: gates and states, forwards and backwards."""


@dataclass(frozen=True, slots=True)
class SettingBounds:
    """The range of a number.

    Attributes:
        least: The smallest valid number, or if `above` the number that it must exceed.
        most: The largest valid number.
        whole: Whether it must be a whole number.
        above: Whether `least` itself is invalid.
    """

    least: float
    most: float
    whole: bool = True
    above: bool = False

    def fault(self, value: object) -> str:
        """Return what a value must be, or "" if it is valid."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return "a whole number" if self.whole else "a number"
        if not math.isfinite(value):
            return "finite"
        if value < self.least or (self.above and value == self.least):
            return f"{'above' if self.above else 'at least'} {self.least:g}"
        return f"at most {self.most:.10g}" if value > self.most else ""


def _number(least: float, most: float, *, above: bool = False) -> SettingBounds:
    return SettingBounds(least, most, whole=False, above=above)


BOUNDS: Mapping[str, SettingBounds] = {
    "horizon": SettingBounds(1, 10_000),
    "seed": SettingBounds(0, MOST_SEED),
    "seeds": SettingBounds(1, 100),
    "baseline_series": SettingBounds(1, 1_000_000),
    "fit.units": SettingBounds(1, 2_048),
    "fit.layers": SettingBounds(1, 32),
    "fit.dilations": SettingBounds(1, 65_536),
    "fit.context_length": SettingBounds(1, 65_536),
    "fit.encoder_length": SettingBounds(1, 65_536),
    "fit.synthetic_share": _number(0, 0.9),
    "fit.batch_size": SettingBounds(1, 65_536),
    "fit.learning_rate": _number(0, 10, above=True),
    "fit.weight_decay": _number(0, 10),
    "fit.clip_norm": _number(0, 1e6),
    "fit.max_steps": SettingBounds(1, 1_000_000),
    "fit.steps": SettingBounds(1, 1_000_000),
    "fit.last_steps": SettingBounds(1, 1_000_000),
    "fit.steps_per_epoch": SettingBounds(1, 1_000_000),
    "fit.tuned_share": _number(0, 1),
    "fit.max_seconds": _number(0, DAYS_30, above=True),
    "fit.validation_origins": SettingBounds(1, 10_000),
    "retrain.skill_below": _number(-1_000, 1),
    "retrain.coverage_off": _number(0, 0.8, above=True),
    "retrain.drift": _number(0, 1e6, above=True),
    "retrain.decay": _number(0, 1e6, above=True),
    "retrain.new_observations": SettingBounds(1, 10**12),
    "retrain.window": SettingBounds(1, 1_000_000),
    "retrain.min_scores": SettingBounds(1, 10**9),
    "retrain.origins": SettingBounds(1, 1_000),
    "retrain.latency_margin": _number(0, 1_000),
    "retrain.latency_margin_ms": _number(0, 1e6),
    "retrain.latency_repeats": SettingBounds(1, 1_000),
    "retrain.live_scores": SettingBounds(0, 1_000_000),
    "retrain.timeout_seconds": _number(0, DAYS_30, above=True),
    "retrain.memory_mb": SettingBounds(1, 100_000_000),
}
"""By key as in TOML; what is missing here is not a number."""

MOST_DILATIONS = 32


def check_bounds(config: Mapping[str, Any]) -> None:
    """Refuse a configuration with a number out of range, or with a network that no machine could train.

    Args:
        config: The tables of a configuration; a table or number that is left out or None is not checked.

    Raises:
        ConfigInvalid: For the first setting that is wrong, with its JSON pointer in a request.
    """
    for key, value in _numbers(config):
        if fault := BOUNDS[key].fault(value):
            raise ConfigInvalid(f"{key} must be {fault}. Received: {repr(value)[:60]}.", pointer=_pointer(key))
    seed, seeds = config.get("seed") or 0, config.get("seeds") or 1
    if seed + seeds - 1 > MOST_SEED:
        raise ConfigInvalid(
            f"The last seed is seed + seeds - 1, at most {MOST_SEED}. Received: seed {seed}, seeds {seeds}.",
            pointer=_pointer("seed"),
        )
    fit = config.get("fit")
    if isinstance(fit, Mapping):
        _check_network(fit, config.get("horizon") or 1)


def training_megabytes(fit: Mapping[str, Any], horizon: int) -> float:
    """Return about how much memory a training step needs, in 10⁶ bytes, from a checked `[fit]` table."""
    units, batch = fit.get("units") or 64, fit.get("batch_size") or 256
    context, encoder = (fit.get(key) or most for key, most in LONGEST_CHOSEN.items())
    targets = min(encoder, context) if fit.get("shape") == "many_to_many_equal" else 1
    kept = min(encoder, context) * units * _depth(fit) * NUMBERS_KEPT * 4
    answers = targets * horizon * (units + QUANTILES) * 3 * 4
    return (batch * (kept + answers + 8 * context) + 20 * parameters(fit, horizon)) / 1e6


def parameters(fit: Mapping[str, Any], horizon: int) -> int:
    """Return about how many weights a network has, from a checked `[fit]` table: gates, and a projection of each step."""
    units = fit.get("units") or 64
    return 8 * units * units * _depth(fit) + units * horizon * EMBEDDING


def _depth(fit: Mapping[str, Any]) -> int:
    """Return the number of layers, of a WaveNet one for each dilation, whichever is more."""
    return max(fit.get("layers") or 2, len(fit.get("dilations") or ()))


def _numbers(config: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the numbers of a configuration by key; a dilation counts as one."""
    found: list[tuple[str, Any]] = []
    for key in BOUNDS:
        table, _, name = key.rpartition(".")
        holder = config.get(table) if table else config
        value = holder.get(name) if isinstance(holder, Mapping) else None
        if name == "dilations" and isinstance(value, list | tuple):
            found += [(key, one) for one in value[: MOST_DILATIONS + 1]]
        elif value is not None:
            found.append((key, value))
    return found


def _check_network(fit: Mapping[str, Any], horizon: int) -> None:
    """Raise ConfigInvalid for a network that is too large as a whole."""
    dilations = fit.get("dilations")
    if isinstance(dilations, list | tuple) and not 1 <= len(dilations) <= MOST_DILATIONS:
        raise ConfigInvalid(
            f"fit.dilations must be a list of 1 to {MOST_DILATIONS}. Received: a list of {len(dilations)}.",
            pointer=_pointer("fit.dilations"),
        )
    if (count := parameters(fit, horizon)) > MOST_PARAMETERS:
        raise ConfigInvalid(
            f"The network would have about {count:,} weights; at most {MOST_PARAMETERS:,} are accepted.",
            pointer="/config/fit",
            hint="Lower fit.units, fit.layers, the number of fit.dilations or the horizon.",
        )
    if (needed := training_megabytes(fit, horizon)) > MOST_MEGABYTES:
        raise ConfigInvalid(
            f"A training step would need about {needed:,.0f} MB of memory; at most {MOST_MEGABYTES:,} MB are accepted.",
            pointer="/config/fit",
            hint="Lower fit.batch_size, fit.units, fit.layers, fit.encoder_length or the horizon.",
        )


def _pointer(key: str) -> str:
    return json_pointer("config", *key.split("."))
