"""Backtests, searches and segments on both engines."""

import json
from pathlib import Path

import pytest

from tests.prove.ray_environment import run_in_ray_environment
from tests.prove.ray_training import REGIONS

pytestmark = pytest.mark.timeout(3600)


def test_both_engines_find_the_same(tmp_path: Path) -> None:
    """Errors, best settings and a model of each segment under one run, whatever fits them."""
    run_in_ray_environment("tests.prove.ray_training", tmp_path)

    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome["ray"] == outcome["local"]
    assert outcome["local"]["segments"]["models"].keys() == set(REGIONS)
    assert outcome["local"]["tune"]["trials"]["complete"] + outcome["local"]["tune"]["trials"]["pruned"] == 3
    assert {"lstm", "gru", "ensemble"} <= outcome["local"]["backtest"]["models"].keys()
