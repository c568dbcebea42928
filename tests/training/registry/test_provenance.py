import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

from models import artifact
from tests.artifacts import make_artifact
from training.config.training import TrainConfig, train_config
from training.data.series_set import read_series
from training.registry import provenance
from training.registry.provenance import RunEnvironment, code_commit, weights_digest


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output."""
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *author, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - git


def test_a_described_run_can_be_configured_again(data_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings are a configuration that does not depend on the working folder."""
    monkeypatch.chdir(data_file.parent)
    config = TrainConfig(Path(data_file.name), 12, seed=7)

    described = provenance.describe(config, read_series(data_file), RunEnvironment(), architecture="gru", seed=9)

    settings = {key: value for key, value in described["config"].items() if value is not None}
    settings["fit"] = {key: value for key, value in settings["fit"].items() if value is not None}
    assert train_config(settings) == TrainConfig(data_file, 12, seed=7)
    assert (described["architecture"], described["seed"]) == ("gru", 9)
    assert described["data_digest"] == read_series(data_file).digest


def test_the_environment_has_command_packages_and_machine() -> None:
    """Arguments with spaces are quoted for a shell."""
    found = RunEnvironment.gather(["train", "--data", "my sales.csv"])

    assert found.command == "almanac train --data 'my sales.csv'"
    assert {"keras", "numpy", "tensorflow"} <= set(found.packages)
    assert "cores" in found.machine


def test_differences_that_can_change_a_result_are_named() -> None:
    """A new package version and other code are among them; another command line is not."""
    before = RunEnvironment("almanac train", "abc", {"numpy": "1", "keras": "3"}, "3.11", "a machine")

    after = RunEnvironment("almanac reproduce", "def", {"numpy": "2", "keras": "3"}, "3.11", "a machine")

    assert after.differences(before) == ["numpy was 1, is 2.", "commit was abc, is def."]


def test_the_commit_is_that_of_the_repository_which_tracks_the_file(tmp_path: Path) -> None:
    """Changed code makes it dirty, changed documents do not; an untracked file has no commit."""
    code, untracked = tmp_path / "code.py", tmp_path / "untracked.py"
    code.write_text("one = 1\n")
    untracked.write_text("two = 2\n")
    assert code_commit(code) is None
    git(tmp_path, "init", "-q")
    (tmp_path / "page.md").write_text("Figures.\n")
    git(tmp_path, "add", "code.py", "page.md")
    git(tmp_path, "commit", "-q", "-m", "code: one")
    head = git(tmp_path, "rev-parse", "HEAD")

    (tmp_path / "page.md").write_text("Other figures.\n")
    assert (code_commit(code), code_commit(untracked)) == (head, None)
    code.write_text("one = 3\n")
    assert code_commit(code) == f"{head}-dirty"


def test_the_digest_of_weights_depends_on_their_values_only(tmp_path: Path) -> None:
    """Names and order do not change it."""
    network = make_artifact(tmp_path / "m") / artifact.NETWORK
    digest = weights_digest(network)
    model = onnx.load(str(network))
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    for index, array in enumerate(reversed(arrays)):
        model.graph.initializer[index].CopyFrom(onnx.numpy_helper.from_array(array, f"renamed-{index}"))
    onnx.save(model, str(network))

    assert weights_digest(network) == digest
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.asarray(arrays[-1] + 1), "renamed-0"))
    onnx.save(model, str(network))
    assert weights_digest(network) != digest
