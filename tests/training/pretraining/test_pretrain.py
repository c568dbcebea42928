"""Pretraining makes ordinary artifacts, leaves a record, and goes on where it was cut off."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_array_equal

from models import artifact
from models.calendar.zoned_grid import parse_frequency
from models.errors import ArtifactIncomplete
from models.networks.ensemble import load_network
from models.networks.errors import OptionInvalid
from models.series import Series
from models.starters import FOLDER, folder_for
from training.cli import pretrain as command
from training.fit.candidate import EpochRecord
from training.pretraining import held_out, starter_card, starter_training
from training.pretraining import pretrain as pretraining
from training.pretraining.pretrain import pretrain
from training.pretraining.starter_specs import StarterSpec
from training.pretraining.starter_training import PretrainRequest
from training.progress import Progress
from training.registry.client import Registry
from training.registry.provenance import RunEnvironment

pytestmark = pytest.mark.usefixtures("no_figures")

SPECS = {"M": StarterSpec("M", 4, 30, 12, 1.0), "Q": StarterSpec("Q", 3, 12, 8, 0.5)}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make two tiny kinds, an epoch of two steps, and few windows to look at."""
    for module in (pretraining, starter_card, starter_training):
        monkeypatch.setattr(module, "STARTER_SPECS", SPECS)
    monkeypatch.setattr(starter_training, "STEPS_PER_EPOCH", 2)
    monkeypatch.setattr(held_out, "HELD_OUT", 40)
    monkeypatch.setattr(pretraining, "DESCRIBED_WINDOWS", 8)


def make_request(tmp_path: Path, **changes: Any) -> PretrainRequest:  # noqa: ANN401 - any field
    """Return a request for both starters."""
    outcome: dict[str, Any] = {"kinds": ("M", "Q"), "steps": 4, "units": 4, "layers": 1, "batch_size": 8, **changes}
    return PretrainRequest(tmp_path / "out", tmp_path / "home", **outcome)


class Interrupting(Progress):
    """A terminal at which somebody presses Ctrl-C after the first epoch."""

    @contextmanager
    def training(self, name: str) -> Iterator[Callable[[EpochRecord], None]]:
        """Yield what raises."""
        del name

        def show(_epoch: EpochRecord) -> None:
            raise KeyboardInterrupt

        yield show


def test_starters_are_ordinary_artifacts_that_forecast(tmp_path: Path, registry: Registry, progress: Progress) -> None:
    """Each loads with its golden forecasts replayed, forecasts, and has its card, its run below one for all, and figures."""
    environment = RunEnvironment("almanac pretrain", "abc", {"keras": "3"})

    made = pretrain(make_request(tmp_path), registry, progress, environment)

    assert [one.kind for one in made] == ["M", "Q"]
    assert [one.figures["steps"] for one in made] == [4 + 3 + 1, 2]
    for one in made:
        forecaster = artifact.load(one.directory)
        spec = forecaster.spec
        assert (spec.name, spec.architecture, spec.frequency) == ("starter", "lstm", parse_frequency(one.kind).name)
        assert (spec.horizon, spec.context_length) == (SPECS[one.kind].horizon, SPECS[one.kind].context_length)
        assert spec.options.calendar is False
        assert spec.options.nonnegative is False
        assert spec.trained_from is None
        assert np.isfinite(forecaster.forecast([Series.make([3.0, 4.0, 5.0])], 6)[0].median).all()
        assert "almanac pretrain --steps 4 --seed 1" in (one.directory / "README.md").read_text()
        assert one.figures["mase_seasonal_naive"] > 0
        assert 0 < one.figures["train_seconds"] < 600
    run_id = artifact.load(made[0].directory).spec.run_id
    assert run_id is not None
    found = registry.run(run_id)
    assert found.metrics["mase"] == pytest.approx(made[0].figures["mase"])
    assert "loss/M 4 steps" in found.metrics
    parent = registry.run(found.tags["mlflow.parentRunId"])
    assert parent.tags["mlflow.source.git.commit"] == "abc"
    assert len(registry.children(parent.run_id)) == 2
    again = pretrain(
        make_request(tmp_path / "again", kinds=("Q",), first=made[0].directory), registry, progress, environment
    )
    assert [one.kind for one in again] == ["Q"]
    assert again[0].figures["mase"] == pytest.approx(made[1].figures["mase"], rel=0.05)  # weights rounded to 16 bits
    assert f"--first {made[0].directory}" in (again[0].directory / "README.md").read_text()


@pytest.mark.parametrize(
    ("kinds", "first", "order"),
    [(("Q",), None, ["M", "Q"]), (("Q",), FOLDER / "M", ["Q"]), (("M", "Q"), FOLDER / "M", ["M", "Q"])],
)
def test_a_given_first_starter_is_made_where_it_is_asked_for(
    kinds: tuple[str, ...], first: Path | None, order: list[str], tmp_path: Path
) -> None:
    """Without its weights it is made in any case, since the others begin with it."""
    assert pretraining._order(make_request(tmp_path, kinds=kinds, first=first)) == order


def test_the_first_starter_must_exist_and_fit(tmp_path: Path, registry: Registry, progress: Progress) -> None:
    """A folder without weights, and a network of another size, are named with the option that mends it."""
    with pytest.raises(ArtifactIncomplete, match=r"network\.keras does not exist") as missing:
        pretrain(make_request(tmp_path, first=tmp_path), registry, progress, RunEnvironment())
    with pytest.raises(OptionInvalid, match="1 layers of 4 units") as other:
        pretrain(make_request(tmp_path, first=FOLDER / "M"), registry, progress, RunEnvironment())

    assert "--first" in str(missing.value.hint)
    assert "--units" in str(other.value.hint)


def test_what_was_interrupted_goes_on_to_the_same_weights(
    tmp_path: Path, registry: Registry, progress: Progress
) -> None:
    """Cut off after an epoch and begun again, a training ends where one that was left alone ends."""
    whole = pretrain(make_request(tmp_path / "whole", kinds=("M",)), registry, progress, RunEnvironment())
    request = make_request(tmp_path / "cut", kinds=("M",))

    with pytest.raises(KeyboardInterrupt):
        pretrain(request, registry, Interrupting(progress.console), RunEnvironment())
    assert (request.unfinished / "M.npz").is_file()
    assert isinstance(progress.console.file, StringIO)
    assert str(request.unfinished) in progress.console.file.getvalue().replace("\n", "")
    again = pretrain(request, registry, progress, RunEnvironment())

    assert not request.unfinished.exists()
    for one, two in zip(whole, again, strict=True):
        weights = (load_network(each.directory / artifact.WEIGHTS).get_weights() for each in (one, two))
        for first, second in zip(*weights, strict=True):
            assert_array_equal(first, second)


def test_another_seed_or_size_is_other_work(tmp_path: Path) -> None:
    """Whatever changes a weight makes another checkpoint, and nothing else does."""
    request = make_request(tmp_path)

    digests = {make_request(tmp_path, **change).digest for change in ({"seed": 2}, {"units": 8}, {"steps": 5})}

    assert request.digest not in digests
    assert len(digests) == 3
    assert make_request(tmp_path / "elsewhere", kinds=("Q",)).digest == request.digest


@pytest.mark.prove
def test_the_command_writes_into_the_home_where_it_goes_before_the_packages_own(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --output a starter is in ALMANAC_HOME/starters and used from then on; the monthly one that it needs is not kept."""
    home = registry.location.home
    monkeypatch.setenv("ALMANAC_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    outcome = ["--steps", "2", "--units", "4", "--layers", "1", "--frequencies", "Q", "--json"]

    result = CliRunner().invoke(command.pretrain, outcome, catch_exceptions=False)

    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [path.name for path in (home / "starters").iterdir()] == ["Q"]
    assert Path(found["Q"]["directory"]) == home / "starters" / "Q"
    assert found["Q"]["mase"] > 0
    assert folder_for(parse_frequency("Q")) == home / "starters" / "Q"

    before = (home / "starters" / "Q" / artifact.WEIGHTS).stat()
    again = CliRunner().invoke(command.pretrain, outcome, catch_exceptions=False)

    assert again.exit_code == 0
    assert "--fresh" in again.stderr
    assert json.loads(again.stdout) == {"Q": {"directory": found["Q"]["directory"]}}
    assert (home / "starters" / "Q" / artifact.WEIGHTS).stat() == before


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    """Nothing is trained for a frequency that has no starter."""
    result = CliRunner().invoke(command.pretrain, ["--frequencies", "M,x"])

    assert result.exit_code == 2
    assert "There is no starter 'x'. Choose from M, Q, Y, W, D, B, h." in result.output
