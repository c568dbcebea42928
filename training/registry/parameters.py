"""Parameters: the settings that MLflow's table shows of a run, those that differ between runs; provenance.json has all."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.spec import ModelSpec
from training.config.training import STARTER, TrainConfig
from training.data.holdout import Split
from training.data.series_set import SeriesSet

ALWAYS = ("fit.units", "fit.layers", "fit.learning_rate", "horizon")
"""Settings that are parameters of a run even where they have their default."""

UNTOLD = ("data", "name", "unit", "promote", "architecture", "seed")
"""Settings that are no parameters of their own: the run has them elsewhere, or they change no result."""

CHOSEN = ("context_length", "encoder_length", "transform", "receptive_field")
"""Settings that validation chooses, as the specification of a network has them."""


def run_params(described: Mapping[str, Any]) -> dict[str, object]:
    """Return the parameters of a run that `provenance.describe` describes.

    They are the architecture and the seed, the settings in `ALWAYS` and those that differ from their default. The shipped
    starter is not fitted and has no settings of `[fit]`.
    """
    settings, architecture = flat(described["config"]), described.get("architecture") or ""
    usual = flat({**asdict(TrainConfig(Path("data"), 1)), "horizon": None})
    shown = {
        key: value
        for key, value in settings.items()
        if (key in ALWAYS or usual.get(key) != value) and key.partition(".")[0] not in UNTOLD
    }
    if architecture == STARTER:
        shown = {key: value for key, value in shown.items() if not key.startswith("fit.")}
    own = {"architecture": architecture or settings["architecture"], "seed": described.get("seed", settings["seed"])}
    return {**shown, **own}


def data_params(data: SeriesSet, split: Split) -> dict[str, object]:
    """Return the parameters that describe the data of a comparison."""
    return {
        "data.series": len(data.series),
        "data.observations": data.observed,
        "data.frequency": data.frequency.name,
        "data.season_length": split.season_length,
        "data.layout": data.layout,
        "data.dropped": split.dropped,
    }


def chosen_params(spec: ModelSpec) -> dict[str, object]:
    """Return the settings that a network selected on its validation origins."""
    steps = {} if spec.options.steps is None else {"chosen.steps": spec.options.steps}
    return {f"chosen.{key}": getattr(spec, key) for key in CHOSEN} | steps


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Return nested settings with keys such as `fit.units`, without those that are None."""
    found: dict[str, object] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif value is not None:
            found[f"{prefix}{key}"] = ", ".join(map(str, value)) if isinstance(value, tuple) else value
    return found
