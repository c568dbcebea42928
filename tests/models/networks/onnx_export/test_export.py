from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose
from onnx import numpy_helper

from models import artifact
from models.networks.build import NetworkOptions, build, serving_network
from models.networks.errors import ParityFailed
from models.networks.onnx_export.ensemble import merge_graphs
from models.networks.onnx_export.export import TOLERANCE, check_parity, export
from tests.artifacts import INPUTS
from tests.models.networks.made import ARCHITECTURES, HORIZON, make_contexts, make_options, make_phases, random_weights

TRANSFORMS = {"lstm": "none", "gru": "log", "simple_rnn": "none", "wavenet": "log"}


@dataclass(frozen=True, slots=True)
class Exported:
    """A serving network and its ONNX file."""

    network: keras.Model
    path: Path


class Exports:
    """Networks exported once for all tests."""

    def __init__(self, directory: Path) -> None:
        """Keep them in a directory."""
        self.directory = directory
        self.of = cache(self._export)

    def _export(self, architecture: str) -> Exported:
        options = make_options(architecture, transform=TRANSFORMS[architecture])
        network = _serving(options)
        path = self.directory / f"{architecture}.onnx"
        export(network, options, path)
        return Exported(network, path)


def _serving(options: NetworkOptions) -> keras.Model:
    """Return a serving network with small random weights, none of them zero."""
    network = build(options)
    network.set_weights(random_weights(network, 0, 0.1))
    return serving_network(network, options)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """Return the exports, each made when it is first asked for."""
    return Exports(tmp_path_factory.mktemp("exports"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_graph_asks_for_context_and_phase_alone(exports: Exports, architecture: str) -> None:
    """No constant became an input; float64 and int32 in, float64 out, the batch axis free."""
    graph = onnx.load(exports.of(architecture).path).graph

    kinds = {one.name: one.type.tensor_type for one in [*graph.input, *graph.output]}
    assert {name: kind.elem_type for name, kind in kinds.items()} == {
        "context": onnx.TensorProto.DOUBLE,
        "phase": onnx.TensorProto.INT32,
        "quantiles": onnx.TensorProto.DOUBLE,
    }
    assert all(kind.shape.dim[0].dim_value == 0 for kind in kinds.values())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_keras_and_onnx_answer_alike(exports: Exports, architecture: str) -> None:
    """Within 1e-5 scaled units over made windows of every kind, logged or not."""
    exported = exports.of(architecture)

    assert check_parity(exported.network, exported.path, seed=1) <= TOLERANCE


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_onnx_forecasts_what_keras_does(exports: Exports, architecture: str) -> None:
    """Independently of the check: the same windows, the same quantiles, frost and gaps among them."""
    exported = exports.of(architecture)
    context, phase = make_contexts(5) - 40.0, make_phases(5)
    context[0, :20], context[1, 5:17] = np.nan, np.nan
    session = artifact.open_network(exported.path)

    (found,) = session.run(None, {"context": context, "phase": phase})

    assert found.shape == (5, HORIZON, 9)
    assert_allclose(found, np.asarray(exported.network([context, phase])), rtol=1e-5, atol=1e-3)


def tampered(source: Path, target: Path, change: float) -> Path:
    """Write a graph whose largest matrix of weights is multiplied."""
    model = onnx.load(source)
    largest = max(
        (one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT),
        key=lambda one: np.prod(one.dims),
    )
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * np.float32(change), largest.name))
    onnx.save(model, target)
    return target


@pytest.mark.parametrize("change", [1.01, float("nan")])
def test_a_graph_that_differs_is_refused(exports: Exports, tmp_path: Path, change: float) -> None:
    """One matrix a hundredth larger, or not a number: the error says by how much."""
    exported = exports.of("wavenet")
    path = tampered(exported.path, tmp_path / "tampered.onnx", change)

    with pytest.raises(ParityFailed, match="scaled units") as caught:
        check_parity(exported.network, path)

    assert caught.value.hint


@pytest.mark.parametrize(("architecture", "past", "ahead"), [("wavenet", 2, 0), ("wavenet", 0, 1), ("lstm", 1, 2)])
def test_covariates_are_inputs_of_the_graph(tmp_path: Path, architecture: str, past: int, ahead: int) -> None:
    """Known ahead or not, flags, constants, unknown ones: Keras and ONNX answer alike."""
    options = make_options(architecture, past_covariates=past, future_covariates=ahead)
    network = _serving(options)
    path = tmp_path / "network.onnx"

    export(network, options, path)

    assert check_parity(network, path) <= TOLERANCE
    graph = onnx.load(str(path)).graph
    assert len(graph.node) <= (230 if ahead else 150)
    inputs = [one.name for one in graph.input]
    assert sorted(inputs) == sorted(INPUTS if ahead else INPUTS[:3])


SHAPES: tuple[dict[str, Any], ...] = (
    {"architecture": "lstm", "seasons": (3, 365), "season_length": 3, "context_length": 1100, "layers": 1},
    {"architecture": "gru", "seasons": (4, 60), "encoder_length": 7, "layers": 1},
    {"architecture": "simple_rnn", "season_length": 1, "horizon": 5, "layers": 3, "calendar": False},
    {"architecture": "lstm", "season_length": 12, "context_length": 8, "encoder_length": 8, "transform": "log"},
    {"architecture": "gru", "shape": "one_to_many", "context_length": 1, "encoder_length": 1, "future_covariates": 1},
    {"architecture": "wavenet", "shape": "one_to_one", "context_length": 1, "encoder_length": 1, "horizon": 1},
    {"architecture": "wavenet", "dilations": (3, 1, 5), "context_length": 130, "encoder_length": 128},
    {"architecture": "wavenet", "dilations": (1, 2, 4, 8, 16, 32, 64), "context_length": 40, "encoder_length": 40},
)
BASE = {"horizon": 6, "season_length": 4, "context_length": 40, "encoder_length": 20, "units": 16}


@pytest.mark.parametrize("changes", SHAPES)
def test_every_shape_of_network_is_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Seasons, lengths, dilations and sequence shapes of every kind: Keras and ONNX forecast the same."""
    options = NetworkOptions(**{**BASE, **changes})
    network = _serving(options)

    export(network, options, tmp_path / "network.onnx")

    assert check_parity(network, tmp_path / "network.onnx") <= TOLERANCE
    assert len(onnx.load(tmp_path / "network.onnx").graph.node) <= (135 if options.future_covariates else 120)


@pytest.mark.parametrize(("architecture", "node"), [("lstm", "LSTM"), ("gru", "GRU"), ("simple_rnn", "RNN")])
def test_a_recurrent_network_is_one_node_a_layer_and_at_most_90_in_all(
    exports: Exports, architecture: str, node: str
) -> None:
    """Preparation and log transform included; a loop of small steps would be ten times slower."""
    kinds = node_kinds(onnx.load(exports.of(architecture).path))

    assert kinds.count(node) == make_options(architecture).layers
    assert len(kinds) <= 90


def node_kinds(model: onnx.ModelProto) -> list[str]:
    """Return the operator of each node."""
    return [one.op_type for one in model.graph.node]


def test_an_ensemble_prepares_once(exports: Exports, tmp_path: Path) -> None:
    """Members of the same context and transform share all nodes of normalization, anchors and inputs."""
    members = [onnx.load(exports.of(one).path) for one in ("lstm", "simple_rnn")]

    merged = merge_graphs(members, [0.5, 0.5])

    kinds = node_kinds(merged)
    for once in ("CumSum", "Asinh", "Abs"):
        assert kinds.count(once) == 1
    assert len(kinds) <= len(members[0].graph.node) + 50
    context, answers = {"context": make_contexts(5), "phase": make_phases(5)}, []
    for place, model in enumerate([*members, merged]):
        onnx.save(model, tmp_path / f"{place}.onnx")
        answers.append(artifact.open_network(tmp_path / f"{place}.onnx").run(None, context)[0])
    assert_allclose(answers[2], 0.5 * (answers[0] + answers[1]), rtol=1e-9)
