"""The page on sums says how they were measured, and relative losses where there is something to compare with."""

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.sums import INDEPENDENT, MODELS, OURS, SumScores, _energy, render
from training.evaluation.benchmark_sets import BenchmarkSet


def test_the_page_has_the_means_every_set_and_the_sampling_error() -> None:
    """Losses are relative to independent steps."""
    scores = SumScores(
        40,
        coverage=dict.fromkeys(MODELS, (0.5, 0.814, 0.95)),
        pinball=dict.fromkeys(MODELS, 3.0) | {INDEPENDENT: 4.0},
        energy={OURS: 1.0, INDEPENDENT: 2.0},
    )
    sets = {BenchmarkSet("fred", Path(), "M", 12, 12): {"horizon": scores, "first third": scores}}

    lines = render(sets, "make bench-sums SETS=sets", "2026-11-29", {"fred": [0.005, 0.003, 0.002]}).splitlines()

    assert lines[0].startswith("`make bench-sums SETS=sets` on 2026-11-29, 40 forecasts of 1 sets")
    shares = "50, 81, 95 | 50, 81, 95 | 50, 81, 95"
    assert f"| M | 1 | {shares} | 0.750 | 0.750 | 0.500 |" in lines
    assert f"| all | 1 | {shares} | 0.750 | 0.750 |" in lines
    assert f"| fred | M | 12 | 40 | {shares} | 0.750 | 0.750 |" in lines
    assert lines[-1].endswith("0.0050 at 0.5, 0.0030 at 0.9, 0.0020 at 0.975 (20 seeds, fred).")


def test_the_energy_score_is_least_for_the_truth() -> None:
    """Paths that are all the truth have none."""
    target = np.array([1.0, 2.0])

    assert _energy(target, np.tile(target, (4, 1))) == pytest.approx(0)
    assert _energy(target, np.array([[1.0, 2.0], [4.0, 6.0]])) == pytest.approx(0.0)
    assert _energy(target, np.array([[4.0, 6.0]] * 2)) == pytest.approx(5.0)
