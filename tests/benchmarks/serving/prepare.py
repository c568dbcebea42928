"""Prepare: trains the models that the benchmark serves, once for each state of the code, through the public pipeline.

They get few steps: what a forecast costs depends on the size of a network, not on its weights.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from models.artifact import WEIGHTS

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "training" / "datasets" / "temperatures.csv"
DEMO = ROOT / "training" / "configs" / "temperatures.toml"
CODE = ("models", "training", "requirements.lock")
COMMON = ("--no-refit", "--baselines", "seasonal_naive", "--set", "fit.calendar=false", "--set", "fit.transform=none")
STEPS = (
    "--set",
    "fit.steps=30",
    "--set",
    "fit.last_steps=1",
    "--set",
    "fit.steps_per_epoch=30",
    "--set",
    "fit.synthetic_share=0.0",
)
ORIGINS = ("--set", "retrain.origins=1", "--set", "fit.validation_origins=2")
CONTEXT = ("--set", "fit.context_length=60", "--set", "fit.encoder_length=60")
FOUR = "lstm,gru,simple_rnn,wavenet"
SIZE = ("--set", "fit.units=64", "--set", "fit.layers=2")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Folders of what is served.

    Attributes:
        folder: Contains all of it.
        lstm: A home whose registry has one LSTM of 2 layers of 64 units, context 60, horizon 24.
        ensemble: A home whose registry has the ensemble of four networks, one of each architecture.
        five: A home whose registry has five models: four LSTMs of that size with different weights, and the ensemble.
        flavours: The LSTM as MLflow models, `keras` and `onnx`.
    """

    folder: Path

    @property
    def lstm(self) -> Path:
        """Return the home of the single LSTM."""
        return self.folder / "lstm"

    @property
    def ensemble(self) -> Path:
        """Return the home of the ensemble."""
        return self.folder / "ensemble"

    @property
    def five(self) -> Path:
        """Return the home with five models."""
        return self.folder / "five"

    @property
    def flavours(self) -> Path:
        """Return the folder of the MLflow models."""
        return self.folder / "flavours"


def registered_artifact(home: Path) -> Path:
    """Return the folder of the artifact of a home's only registered model."""
    return next((home / "artifacts" / "models").rglob(WEIGHTS)).parent


def prepare(cache: Path) -> Prepared:
    """Return the models, trained if they are not in the cache for this code."""
    prepared = Prepared(cache / _code_digest())
    steps = {
        prepared.lstm: [*_train(str(DEMO), "--architecture", "lstm"), *SIZE],
        prepared.ensemble: [*_train(str(DEMO), "--architecture", FOUR, "--pick", "ensemble"), *SIZE],
        prepared.five: ["tests.benchmarks.serving.five", str(prepared.lstm), str(prepared.ensemble)],
        prepared.flavours: ["tests.benchmarks.serving.peers.flavours", str(prepared.lstm), str(prepared.flavours)],
    }
    for folder, module in steps.items():
        done = folder.with_suffix(".done")
        if not done.exists():
            click.echo(f"preparing {folder.name} …", err=True)
            _run(module, folder)
            done.touch()
    return prepared


def _train(*arguments: str) -> list[str]:
    return ["almanac", "train", *arguments, *COMMON, *STEPS, *ORIGINS, *CONTEXT]


def _run(module: Sequence[str], home: Path) -> None:
    """Run a module with a home; raises CalledProcessError."""
    environment = {**os.environ, "ALMANAC_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "2"}
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with (home.parent / f"{home.name}.log").open("wb") as log:
        command = [sys.executable, "-m", *module]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=log, stderr=log)  # noqa: S603 - ours


def _code_digest() -> str:
    """Return a digest of the files that decide what is trained."""
    total = hashlib.sha256()
    for name in CODE:
        path = ROOT / name
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        for file in files:
            total.update(file.read_bytes())
    return total.hexdigest()[:12]
