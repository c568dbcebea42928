"""The house of CONTRIBUTING.md: import-linter holds it, and sees when somebody breaks it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PLANTED = [
    ("models/windows.py", "import service.app", "models knows neither service nor training"),
    ("service/app.py", "import training.config", "service and training do not know each other"),
    ("training/demo.py", "import service.app", "service and training do not know each other"),
    ("models/series.py", "import mlflow", "models knows no HTTP, MLflow, database or command line"),
    ("models/artifact.py", "import urllib.request", "models knows no HTTP, MLflow, database or command line"),
    ("service/app.py", "import models.networks.build", "the service never loads Keras"),
    ("models/forecaster.py", "import models.networks.build", "the service never loads Keras"),
    ("training/backtest.py", "import keras", "Keras and TensorFlow live in"),
    ("models/intervals.py", "import tensorflow", "Keras and TensorFlow live in"),
    ("training/pipeline.py", "import mlflow.tracking", "mlflow is imported in the two registry modules only"),
    ("service/app.py", "import service.registry", "the server does not reach MLflow"),
    ("service/settings.py", "import sqlalchemy", "sqlalchemy is imported in service.store"),
    ("training/pipeline.py", "import dbos", "dbos is imported in training.jobs"),
    ("training/report.py", "import fastapi", "training serves nothing"),
]


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    """Return what import-linter says about the packages in a folder."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-cache"], cwd=house, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a copy of the packages and their contracts."""
    for package in ("models", "service", "training"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("file", "line", "contract"), PLANTED)
def test_a_planted_violation_is_caught(house: Path, file: str, line: str, contract: str) -> None:
    """An import across the walls breaks the contract that forbids it."""
    path = house / file
    path.write_text(f"{path.read_text()}\n{line}\n")

    result = lint(house)

    verdicts = re.findall(r"(.*?)\b(KEPT|BROKEN)", " ".join(result.stdout.split()))
    assert result.returncode != 0
    assert any(contract in name for name, verdict in verdicts if verdict == "BROKEN"), result.stdout


def test_the_house_as_it_stands_is_sound(house: Path) -> None:
    """Without a planted line, every contract is kept: what the other tests see is their own plant."""
    result = lint(house)

    assert result.returncode == 0, result.stdout
