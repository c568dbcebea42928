"""Comparison figure: MASE of every candidate and baseline as bars, and the errors by step of the winner."""

import numpy as np
from matplotlib.figure import Figure

from training.evaluation.comparison import Comparison, Result
from training.evaluation.figures import FORECAST, MUTED, draw_steps

CANDIDATE = "#8db8dc"


def draw_comparison(comparison: Comparison, winner: Result, *, title: str) -> Figure:
    """Return the mean MASE of every candidate and baseline, and the winner's error by step beside the baselines'."""
    rows = [(one.name, float(one.scores.mase.mean()), CANDIDATE) for one in comparison.results if one is not winner]
    rows += [(f"{winner.name} (winner)", float(winner.scores.mase.mean()), FORECAST)]
    rows += [(name, float(one.scores.mase.mean()), MUTED) for name, one in comparison.baselines.items()]
    rows.sort(key=lambda row: -row[1])
    figure = Figure(figsize=(12, 1.8 + 0.32 * max(len(rows), 8)), layout="constrained")
    bars, steps = figure.subplots(1, 2, width_ratios=(3, 2))
    places = np.arange(len(rows))
    drawn = bars.barh(places, [error for _, error, _ in rows], color=[color for _, _, color in rows])
    bars.bar_label(drawn, fmt="%.3f", padding=3, fontsize=8)
    bars.set_yticks(places, [name for name, _, _ in rows])
    bars.set(xlabel="MASE on the held-out blocks (baselines grey)")
    bars.margins(x=0.12)
    bars.spines[["top", "right"]].set_visible(False)
    draw_steps(steps, winner.scores, {name: one.scores for name, one in comparison.baselines.items()}, winner.name)
    figure.suptitle(title)
    return figure
