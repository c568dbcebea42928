import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose
from onnx import numpy_helper

from models import artifact
from models.networks.build import NetworkOptions, build, serving_network
from models.networks.ensemble import combine_networks, load_network, window_measure, write_ensemble
from models.networks.errors import ParityFailed
from models.networks.onnx_export.export import TOLERANCE, check_parity, export
from tests.models.networks.made import CONTEXT, HORIZON, make_contexts, make_options, make_phases, random_weights

WEIGHTS = (0.5, 0.3, 0.2)

small = partial(make_options, layers=1, units=4)


@dataclass(frozen=True, slots=True)
class Combined:
    """Members at rest, and the whole of them."""

    members: tuple[Path, ...]
    whole: Path


@pytest.fixture(scope="module")
def combined(tmp_path_factory: pytest.TempPathFactory) -> Combined:
    """Return an LSTM, a GRU with a logarithm and a WaveNet of a shorter context, combined."""
    folder = tmp_path_factory.mktemp("combined")
    options = [small("lstm"), small("gru", transform="log"), small("wavenet", context_length=24, encoder_length=24)]
    members = tuple(make_member(folder / one.architecture, one, seed) for seed, one in enumerate(options))
    write_ensemble(members, WEIGHTS, folder / "whole", seed=3)
    return Combined(members, folder / "whole")


def make_member(directory: Path, options: NetworkOptions, seed: int) -> Path:
    """Write both files of a network with small random weights."""
    network = build(options)
    network.set_weights(random_weights(network, seed, 0.1))
    serving = serving_network(network, options)
    directory.mkdir()
    serving.save(directory / artifact.WEIGHTS)
    export(serving, options, directory / artifact.NETWORK)
    return directory


def ask(path: Path, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Return what an ONNX file forecasts."""
    context, phase = inputs
    found: np.ndarray = artifact.open_network(path).run(None, {"context": context, "phase": phase})[0]
    return found


def test_members_of_any_kind_are_one_graph(combined: Combined) -> None:
    """Different architectures, transforms and contexts: the weighted mean of what each forecasts alone."""
    context, phase = make_contexts(5), make_phases(5)
    context[0, :20], context[1, 5:17] = np.nan, np.nan

    found = ask(combined.whole / artifact.NETWORK, (context, phase))

    lengths = (36, 36, 24)
    parts = [
        ask(one / artifact.NETWORK, (context[:, -length:], phase))
        for one, length in zip(combined.members, lengths, strict=True)
    ]
    assert found.shape == (5, HORIZON, 9)
    assert_allclose(found, sum(weight * part for weight, part in zip(WEIGHTS, parts, strict=True)), rtol=1e-12)
    assert (np.diff(found, axis=-1) >= 0).all()


def test_keras_and_onnx_answer_alike(combined: Combined) -> None:
    """The Keras file of the whole, loaded without a word of code, forecasts what the ONNX file does."""
    network = load_network(combined.whole / artifact.WEIGHTS)
    inputs = (make_contexts(5), make_phases(5))

    assert [layer.name for layer in network.layers if isinstance(layer, keras.Model)] == [
        "member_0",
        "member_1",
        "member_2",
    ]
    assert_allclose(np.asarray(network(list(inputs))), ask(combined.whole / artifact.NETWORK, inputs), rtol=1e-5)
    path = combined.whole / artifact.NETWORK
    assert check_parity(network, path, seed=1, measure=window_measure(network)) <= TOLERANCE


@pytest.mark.prove
@pytest.mark.prove
def test_files_are_read_where_no_network_was_built_before(combined: Combined) -> None:
    """A process that only combines knows every layer of the members, and of the whole."""
    read = "from models.networks.ensemble import load_network; import pathlib, sys; load_network(pathlib.Path(sys.argv[1]))"

    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", read, combined.whole / artifact.WEIGHTS], check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr[-2000:]


def test_a_window_that_one_member_cannot_see_is_left_to_the_others(combined: Combined) -> None:
    """In Keras as in ONNX."""
    network = load_network(combined.whole / artifact.WEIGHTS)
    context, phase = make_contexts(2), make_phases(2)
    context[0, -24:] = np.nan

    found = np.asarray(network([context, phase]))

    first, second, _ = (
        ask(one / artifact.NETWORK, (context[:, :36], phase)) for one in (*combined.members[:2], combined.members[0])
    )
    assert_allclose(found[0], (0.5 * first + 0.3 * second)[0] / 0.8, rtol=1e-4)
    assert_allclose(found, ask(combined.whole / artifact.NETWORK, (context, phase)), rtol=1e-5)


def test_files_that_differ_are_refused(combined: Combined, tmp_path: Path) -> None:
    """A member whose ONNX file is not its Keras file cannot slip into a whole."""
    tampered = tmp_path / "member"
    tampered.mkdir()
    (tampered / artifact.WEIGHTS).write_bytes((combined.members[2] / artifact.WEIGHTS).read_bytes())
    model = onnx.load(combined.members[2] / artifact.NETWORK)
    largest = max(
        (one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT),
        key=lambda one: np.prod(one.dims),
    )
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * np.float32(1.5), largest.name))
    onnx.save(model, tampered / artifact.NETWORK)

    with pytest.raises(ParityFailed, match="scaled units"):
        write_ensemble([combined.members[0], tampered], (0.5, 0.5), tmp_path / "whole")


def test_members_with_a_context_of_one_are_measured_by_the_training_set() -> None:
    """They have no scale of their own to tell a difference by."""
    options = small("lstm", shape="one_to_many", context_length=1, encoder_length=1)
    network = build(options)
    network.get_layer("normalize").adapt(make_contexts(3).ravel())
    serving = serving_network(network, options)

    whole = combine_networks([serving, serving], (0.5, 0.5))

    assert window_measure(whole) is serving.get_layer("normalize")
    one, both = (np.asarray(model([np.array([[50.0]]), np.array([0], np.int32)])) for model in (serving, whole))
    assert_allclose(both, one)


def test_members_share_their_covariates(tmp_path: Path) -> None:
    """What is past is cut to each member's context as its values are; what lies ahead goes to all."""
    known = {"past_covariates": 1, "future_covariates": 1}
    members = [
        make_member(tmp_path / "long", small("simple_rnn", **known), 0),
        make_member(tmp_path / "short", small("simple_rnn", context_length=24, encoder_length=24, **known), 1),
    ]
    generator = np.random.default_rng(2)
    past, ahead = generator.normal(size=(4, CONTEXT, 2)), generator.normal(size=(4, HORIZON, 1))
    context = make_contexts(4)
    whole = {"context": context, "phase": make_phases(4), "past_covariates": past, "future_covariates": ahead}

    write_ensemble(members, (0.5, 0.5), tmp_path / "whole")

    newest = {**whole, "context": context[:, -24:], "past_covariates": past[:, -24:]}
    long, short = (
        artifact.open_network(one / artifact.NETWORK).run(None, inputs)[0]
        for one, inputs in zip(members, (whole, newest), strict=True)
    )
    (found,) = artifact.open_network(tmp_path / "whole" / artifact.NETWORK).run(None, whole)
    assert_allclose(found, (long + short) / 2, rtol=1e-12)


def test_a_member_that_reads_no_covariates_may_have_the_longest_context(tmp_path: Path) -> None:
    """The whole then takes past covariates of that length, and gives the other the newest part."""
    known = {"past_covariates": 1, "future_covariates": 1}
    members = [
        make_member(tmp_path / "plain", small("simple_rnn"), 0),
        make_member(tmp_path / "informed", small("simple_rnn", context_length=24, encoder_length=24, **known), 1),
    ]
    generator = np.random.default_rng(2)
    past, ahead = generator.normal(size=(4, CONTEXT, 2)), generator.normal(size=(4, HORIZON, 1))
    context, phase = make_contexts(4), make_phases(4)
    whole = {"context": context, "phase": phase, "past_covariates": past, "future_covariates": ahead}

    write_ensemble(members, (0.5, 0.5), tmp_path / "whole")

    plain = {"context": context, "phase": phase}
    newest = {**whole, "context": context[:, -24:], "past_covariates": past[:, -24:]}
    one, two = (
        artifact.open_network(member / artifact.NETWORK).run(None, inputs)[0]
        for member, inputs in zip(members, (plain, newest), strict=True)
    )
    (found,) = artifact.open_network(tmp_path / "whole" / artifact.NETWORK).run(None, whole)
    assert_allclose(found, (one + two) / 2, rtol=1e-12)
