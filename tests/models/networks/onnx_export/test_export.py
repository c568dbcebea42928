from dataclasses import dataclass
from functools import cache
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose
from onnx import numpy_helper

from models import artifact
from models.networks.build import NetworkOptions, build, serving_network
from models.networks.errors import ParityFailed
from models.networks.onnx_export.export import TOLERANCE, check_parity, export
from models.windows import INPUTS
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
        export(network, path)
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


@pytest.mark.parametrize(("past", "ahead"), [(2, 0), (0, 1), (1, 2)])
@pytest.mark.parametrize("architecture", ["lstm", "wavenet"])
def test_covariates_are_inputs_of_the_graph(tmp_path: Path, architecture: str, past: int, ahead: int) -> None:
    """Known ahead or not, flags, constants, unknown ones: Keras and ONNX answer alike."""
    network = _serving(make_options(architecture, past_covariates=past, future_covariates=ahead))
    path = tmp_path / "network.onnx"

    export(network, path)

    assert check_parity(network, path) <= TOLERANCE
    inputs = [one.name for one in onnx.load(str(path)).graph.input]
    assert sorted(inputs) == sorted(INPUTS if ahead else INPUTS[:3])


def test_a_graph_with_other_inputs_is_refused(tmp_path: Path) -> None:
    """What asks for anything but context and phase could not be served."""
    history = keras.Input((4,), dtype="float64", name="history")
    phase = keras.Input((), dtype="int32", name="phase")
    double = keras.layers.Rescaling(2.0, dtype="float64")(history)
    network = keras.Model([history, phase], double)

    with pytest.raises(ParityFailed, match="history"):
        export(network, tmp_path / "network.onnx")

    assert not (tmp_path / "network.onnx").exists()
