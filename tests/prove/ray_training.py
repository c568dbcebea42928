"""Tiny trainings by the command line on both engines: a backtest, a search, and a model for each of five segments.

Run by `.venv-ray/bin/python -m tests.prove.ray_training FOLDER`; writes FOLDER/outcome.json for tests/prove/test_ray_training.py.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SETTINGS = {
    "max_steps": 4,
    "steps_per_epoch": 2,
    "context_length": 24,
    "encoder_length": 13,
    "transform": '"none"',
    "calendar": "true",
    "synthetic_share": 0.0,
    "batch_size": 8,
    "layers": 1,
    "units": 4,
}
REGIONS = ("North", "South", "East", "West", "Middle")
TIMED = frozenset({"forecast_ms", "train_seconds", "seconds", "run_id", "output", "provenance", "study", "decision"})
"""What no two runs share: times, ids and paths."""


def write_table(path: Path) -> Path:
    """Write two monthly series of each region."""
    generator, frames = np.random.default_rng(0), []
    for region in REGIONS:
        for name in "ab":
            dates = pd.date_range("2000-01-01", periods=96, freq="MS")
            values = 50 + 10 * np.sin(np.arange(96) * np.pi / 6) + generator.normal(0, 1, 96)
            frames.append(pd.DataFrame({"unique_id": f"{region}-{name}", "ds": dates, "y": values, "region": region}))
    pd.concat(frames).to_csv(path, index=False)
    return path


def almanac(home: Path, *arguments: str) -> Any:  # noqa: ANN401 - JSON
    """Run a command with a home, and return what it prints without what no two runs share."""
    command = [sys.executable, "-m", "almanac", *arguments, "--json"]
    environment = {**os.environ, "ALMANAC_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)  # noqa: S603
    if found.returncode:
        raise SystemExit(f"{' '.join(arguments)}\n{found.stderr}")
    return without_times(json.loads(found.stdout))


def without_times(facts: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON data without times, ids and paths."""
    if isinstance(facts, dict):
        return {key: without_times(value) for key, value in facts.items() if key not in TIMED}
    return [without_times(one) for one in facts] if isinstance(facts, list) else facts


def run(root: Path, engine: str) -> dict[str, Any]:
    """Return what the three commands print on an engine."""
    data, home = str(write_table(root / "shops.csv")), root / engine
    home.mkdir()
    fixed = [part for key, value in SETTINGS.items() for part in ("--set", f"fit.{key}={value}")]
    common = ["--data", data, "--horizon", "12", "--engine", engine, "--workers", "2", *fixed]
    space = root / "space.toml"
    space.write_text("[space.fit]\nunits = [4, 8]\n")
    single = ["--architecture", "lstm", "--baselines", "seasonal_naive"]
    backtest = ["backtest", *common, "--architecture", "lstm,gru", "--origins", "2", "--baselines", "seasonal_naive"]
    return {
        "backtest": almanac(home, *backtest),
        "tune": almanac(home, "tune", str(space), *common, "--architecture", "lstm", "--trials", "3"),
        "segments": almanac(home, "train", *common, *single, "--name", "shops", "--segment-column", "region"),
    }


def main(root: Path) -> None:
    """Run both engines, and write what they found."""
    (root / "outcome.json").write_text(json.dumps({engine: run(root, engine) for engine in ("local", "ray")}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
