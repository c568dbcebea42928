"""Ensemble: several trained networks as one, in Keras and in ONNX, checked for equal forecasts."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import onnx
from keras import ops

from models.artifact import NETWORK, WEIGHTS
from models.networks.layer import Layer
from models.networks.normalization import Normalize
from models.networks.onnx_export.ensemble import LEAST, OUTPUT, PAST, check_weights, merge_graphs
from models.networks.onnx_export.export import check_parity


def write_ensemble(members: Sequence[Path], weights: Sequence[float], directory: Path, *, seed: int = 0) -> None:
    """Write network.keras and network.onnx of the weighted mean of members, and check that they forecast alike.

    Raises:
        OptionInvalid: If members do not match each other, or weights do not match members.
        ParityFailed: If the two files give different forecasts.
    """
    graph = merge_graphs([onnx.load(one / NETWORK) for one in members], weights)
    network = combine_networks([load_network(one / WEIGHTS) for one in members], weights)
    directory.mkdir(parents=True, exist_ok=True)
    network.save(directory / WEIGHTS)
    (directory / NETWORK).write_bytes(graph.SerializeToString())
    check_parity(network, directory / NETWORK, seed, measure=window_measure(network))


def load_network(path: Path) -> keras.Model:
    """Return a network or an ensemble from its network.keras."""
    importlib.import_module("models.networks.build")  # registers its layers in Keras
    return keras.models.load_model(path)


def combine_networks(members: Sequence[keras.Model], weights: Sequence[float]) -> keras.Model:
    """Return one network in which each member is a layer, `member_0` and so on.

    Inputs: those of the members by name, each as long as the longest; shorter members read the newest part.
    Output: `quantiles` (batch, horizon, levels) float64, the weighted mean of the members', as in `models.networks.onnx_export.ensemble`.

    Args:
        members: From `build.serving_network`, of the same horizon and levels.
        weights: One for each member, above 0, of sum 1.
    """
    check_weights(weights, len(members))
    inputs = _shared_inputs(members)
    feeds = [{one.name: _newest(inputs[one.name], one) for one in member.inputs} for member in members]
    forecasts = [
        keras.Model(member.inputs, member.outputs[0], name=f"member_{place}")(list(feed.values()))
        for place, (member, feed) in enumerate(zip(members, feeds, strict=True))
    ]
    quantiles = WeightedMean(weights, name=OUTPUT)(forecasts, [feed["context"] for feed in feeds])
    return keras.Model(list(inputs.values()), quantiles, name="ensemble")


def window_measure(network: keras.Model) -> keras.layers.Layer:
    """Return the normalization for an ensemble's parity check: that of the first member over the whole context, without log.

    Members may have different transforms, so differences between Keras and ONNX are in the series' own units.
    """
    own = network.get_layer("member_0").get_layer("normalize")
    length = {one.name: one.shape[1:] for one in network.inputs}["context"][0]
    return own if length == 1 else Normalize(own.season_length, length)


@keras.saving.register_keras_serializable(package="almanac")
class WeightedMean(Layer):
    """Weighted mean of the members' quantiles, in float64.

    Input: each member's quantiles (batch, horizon, levels) and context (batch, its own length), both float64. A member
    whose context has no observed value does not count.
    Output: (batch, horizon, levels) float64.
    """

    def __init__(self, weights: Sequence[float], name: str | None = None) -> None:
        """Keep the weights; they are not trained."""
        super().__init__(name=name, dtype="float64", autocast=False)
        self.shares = tuple(float(one) for one in weights)

    def call(self, quantiles: list[Any], contexts: list[Any]) -> Any:
        """Return Σ w s quantiles / Σ w s."""
        sees = [_sees(context) for context in contexts]
        weighed = [share * ops.cast(one, "float64") for share, one in zip(self.shares, sees, strict=True)]
        total = ops.maximum(sum(weighed[1:], weighed[0]), LEAST)
        parts = [
            weight / total * ops.where(one, answer, ops.zeros_like(answer))
            for weight, one, answer in zip(weighed, sees, quantiles, strict=True)
        ]
        return sum(parts[1:], parts[0])

    def get_config(self) -> dict[str, Any]:
        """Return the weights."""
        return {"name": self.name, "weights": list(self.shares)}


def _sees(context: Any) -> Any:
    """Return whether a context has an observed value, (batch, 1, 1)."""
    known = ops.cast(ops.logical_not(ops.isnan(context)), "float64")
    return ops.expand_dims(ops.sum(known, axis=1, keepdims=True), -1) > 0


def _shared_inputs(members: Sequence[keras.Model]) -> dict[str, Any]:
    """Return the inputs of the ensemble by name, each as long as the longest; past covariates as long as the context."""
    longest: dict[str, Any] = {}
    for member in members:
        for one in member.inputs:
            known = longest.setdefault(one.name, one)
            if one.shape[1:] > known.shape[1:]:
                longest[one.name] = one
    shapes = {name: one.shape[1:] for name, one in longest.items()}
    if PAST in shapes:
        shapes[PAST] = (shapes["context"][0], *shapes[PAST][1:])
    return {name: keras.Input(shapes[name], dtype=one.dtype, name=name) for name, one in longest.items()}


def _newest(whole: Any, own: Any) -> Any:
    """Return the newest part of an input that a member reads."""
    return whole if whole.shape == own.shape else whole[:, -own.shape[1] :]
