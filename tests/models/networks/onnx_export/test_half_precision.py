"""A halved artifact is about half as large and answers as the rounded network does."""

from pathlib import Path

import numpy as np
import onnx
from numpy.testing import assert_allclose, assert_array_equal

from models.artifact import open_network
from models.networks.build import NetworkOptions, build, serving_network
from models.networks.ensemble import load_network
from models.networks.onnx_export.export import export
from models.networks.onnx_export.half_precision import deflate, round_to_half, to_half_precision

OPTIONS = NetworkOptions("lstm", 6, 12, 48, 24, seasons=(12,), units=32, layers=2, calendar=False)


def make_files(folder: Path) -> tuple[Path, Path]:
    """Return network.onnx and network.keras of a network whose weights are rounded to sixteen bits."""
    generator = np.random.default_rng(0)
    network = build(OPTIONS)
    network.set_weights(round_to_half([one + generator.normal(0.0, 0.1, one.shape) for one in network.get_weights()]))
    serving = serving_network(network, OPTIONS)
    serving.save(folder / "network.keras")
    export(serving, OPTIONS, folder / "network.onnx")
    return folder / "network.onnx", folder / "network.keras"


def answer(path: Path) -> np.ndarray:
    """Return what a graph forecasts."""
    context = np.random.default_rng(1).normal(20.0, 3.0, (4, 48))
    found: np.ndarray = open_network(path).run(None, {"context": context, "phase": np.full(4, -1, np.int32)})[0]
    return found


def test_rounding_loses_at_most_one_part_in_two_thousand() -> None:
    """Half precision keeps eleven bits, and the type stays what it was."""
    weights = [np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)]

    found = round_to_half(weights)

    assert found[0].dtype == np.float32
    assert_allclose(found[0], weights[0], rtol=1 / 2000)
    assert_array_equal(round_to_half(found)[0], found[0])


def test_a_halved_graph_answers_the_same_from_half_the_bytes(tmp_path: Path) -> None:
    """Weights that were rounded before lose nothing, so the answer is the same to the last bit."""
    path, _ = make_files(tmp_path)
    before, size = answer(path), path.stat().st_size

    to_half_precision(path)

    assert_array_equal(answer(path), before)
    assert path.stat().st_size < 0.75 * size
    onnx.checker.check_model(onnx.load(path))


def test_a_deflated_network_is_smaller_and_loads_as_it_was(tmp_path: Path) -> None:
    """Keras reads a compressed file as it reads its own."""
    _, path = make_files(tmp_path)
    before, size = load_network(path).get_weights(), path.stat().st_size

    deflate(path)

    after = load_network(path).get_weights()
    assert path.stat().st_size < 0.75 * size
    for one, two in zip(before, after, strict=True):
        assert_array_equal(one, two)
