"""Names: folders `models`, `service` and `training` of the user and our packages do not disturb each other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HISTORY = "unique_id,ds,y\n" + "".join(
    f"a,{2000 + place // 12}-{place % 12 + 1:02d}-01,{place % 12}\n" for place in range(48)
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder of a user: packages with our names, of which two cannot even be imported, and a history."""
    for name in ("models", "service", "training"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('of the user')")
    (tmp_path / "models" / "__init__.py").write_text("NAME = 'mine'")
    (tmp_path / "models" / "series.py").write_text("NAME = 'my series'")
    (tmp_path / "history.csv").write_text(HISTORY)
    return tmp_path


def run(project: Path, *arguments: str) -> str:
    """Return what Python prints in a folder, which is first on `sys.path`, also as PYTHONPATH."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(project), str(ROOT)])}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line_runs_where_our_names_are_taken(project: Path) -> None:
    """`python -m almanac` puts the folder before all others."""
    (project / "models" / "__init__.py").write_text("raise RuntimeError('of the user')")

    options = ("--model", "starter", "--data", "history.csv", "--horizon", "12", "--output", "next.csv")
    run(project, "-m", "almanac", "forecast", *options)

    assert len((project / "next.csv").read_text().splitlines()) == 13


SPAWNED = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from almanac.models.calendar.zoned_grid import parse_frequency
import almanac
import pandas as pd
assert not {"models", "service", "training", "onnxruntime"} & sys.modules.keys() and "pandas" in sys.modules
import models.series
assert models.series.NAME == "my series"
history = pd.read_csv("history.csv")
assert len(almanac.forecast(history, 3)) == 3
try:
    almanac.forecast(history, 0)
except almanac.errors.HorizonInvalid:
    pass
with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
    print(pool.submit(parse_frequency, "monthly").result().name)
"""


def test_a_notebook_has_its_own_models_and_ours(project: Path) -> None:
    """In the same process, and in those that it spawns."""
    assert run(project, "-c", SPAWNED) == "M\n"
