"""Starters for tests: tiny networks with weights that no training made, sealed as the shipped ones are."""

from pathlib import Path

import keras
import numpy as np

from models import artifact
from models.calendar.zoned_grid import parse_frequency
from models.networks.build import NetworkOptions, build, serving_network
from models.networks.onnx_export.export import export
from models.spec import ModelOptions, ModelSpec

HORIZON, CONTEXT = 8, 24


def make_starter(root: Path, kind: str = "M", *, horizon: int = HORIZON, context: int = CONTEXT) -> Path:
    """Write a starter for a frequency's season into a folder of its own, and return that folder."""
    season = parse_frequency(kind).season_length
    options = NetworkOptions("lstm", horizon, season, context, 12, seasons=(season,), units=4, layers=1, calendar=False)
    network = serving_network(_shaken(options), options)
    folder = root / kind
    folder.mkdir(parents=True)
    network.save(folder / artifact.WEIGHTS)
    export(network, options, folder / artifact.NETWORK)
    spec = ModelSpec(
        name="starter",
        architecture="lstm",
        shape="many_to_many",
        frequency=parse_frequency(kind).name,
        season_length=season,
        context_length=context,
        encoder_length=12,
        horizon=horizon,
        receptive_field=12,
        options=ModelOptions(units=4, layers=1, seasons=(season,), calendar=False),
    )
    artifact.save(folder, spec)
    return folder


def _shaken(options: NetworkOptions) -> keras.Model:
    """Return a network whose every weight is off its start, so that each of them matters."""
    generator = np.random.default_rng(7)
    network = build(options)
    network.set_weights([one + generator.normal(0.0, 0.1, one.shape) for one in network.get_weights()])
    return network
