"""Figures: charts of forecasts, errors, training and search, drawn with matplotlib."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from models.json_values import nan_if_none
from models.series import Series
from training.data.holdout import Split
from training.evaluation.scores import LEVELS, Floats, Predictions, Scores
from training.fit.candidate import EpochRecord

VANISHED = 1e-6
"""Gradient norm below which a layer no longer trains."""

MAX_PANELS = 6
"""Maximum number of series in the figure of a backtest."""

WIDE_PANELS = 6
"""Number of panels up to which they have two columns."""

SEASONS_SHOWN = 3
"""Number of seasons of history drawn before the cutoff."""

SearchTrial = tuple[int, float, bool]
"""A trial of a search: number, validation MASE, whether it was completed (not pruned)."""

TRUTH, FORECAST, MUTED = "#222222", "#1f6fb4", "#9a9a9a"
HUES = tuple(f"C{number}" for number in range(10))
RAMPS = ("Blues", "Oranges", "Greens", "Purples", "Reds", "Greys")
LEGEND_ROWS = 20
BASELINES = ("#d1812c", "#5a9e54", "#8a6bb1", "#b04a4a")


def save_figures(figures: Mapping[str, Figure], directory: Path) -> None:
    """Write each figure as NAME.png, at least 1,200 pixels wide."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(directory / f"{name}.png", dpi=130)


def draw_backtest(split: Split, predictions: Predictions, *, title: str, unit: str = "") -> Figure:
    """Return forecasts and observed values of the held-out block, one panel for each of the first series."""
    histories = split.scored_histories[:MAX_PANELS]
    figure, panels = panels_of(len(histories))
    for row, (axes, history) in enumerate(zip(panels, histories, strict=True)):
        before = min(len(history), max(SEASONS_SHOWN * split.season_length, split.horizon))
        x = positions(history, before, split.horizon)
        observed = np.concatenate([history.values[-before:], split.targets[row]])
        axes.plot(x, observed, color=TRUTH, linewidth=1.2, label="observed")
        axes.axvline(x[before - 1], color=MUTED, linewidth=0.8, linestyle=":", label="cutoff")
        bands = [(level, *(bound[row] for bound in predictions.interval(level))) for level in LEVELS]
        draw_bands(axes, x[before:], predictions.median[row], bands)
        finish(axes, history.id, history.start is not None, unit)
    entitle(figure, panels[0], title)
    return figure


def draw_error_by_step(model: Scores, baselines: Mapping[str, Scores], *, name: str) -> Figure:
    """Return the error by step of a model and of the baselines."""
    figure, axes = _single()
    draw_steps(axes, model, baselines, name)
    axes.set_ylabel("mean absolute scaled error (1 = in-sample seasonal naive)")
    axes.set_title(f"{name}: error by step over {len(set(model.ids))} series held out")
    return figure


def draw_steps(axes: Axes, model: Scores, baselines: Mapping[str, Scores], name: str) -> None:
    """Draw the error by step of a model and of the baselines."""
    steps = np.arange(1, model.scaled_errors.shape[1] + 1)
    for (baseline, scores), color in zip(baselines.items(), BASELINES, strict=False):
        axes.plot(steps, _numbers(scores.mase_by_step), color=color, linewidth=1.2, label=baseline.replace("_", " "))
    axes.plot(steps, _numbers(model.mase_by_step), color=FORECAST, linewidth=2, label=name)
    axes.set(xlabel="step ahead", ylabel="MASE", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


def draw_memory(memory: Sequence[float], season_length: int, *, name: str) -> Figure:
    """Return the influence of each lag on the forecast, with seasons marked."""
    figure, axes = _single()
    lags = np.arange(1, len(memory) + 1)
    axes.fill_between(lags, np.asarray(memory), step="mid", color=FORECAST, alpha=0.35, linewidth=0)
    axes.step(lags, np.asarray(memory), where="mid", color=FORECAST, linewidth=1)
    if season_length > 1:
        for lag in range(season_length, len(memory) + 1, season_length):
            axes.axvline(lag, color=MUTED, linewidth=0.5, zorder=0)
    axes.set(xlabel="lag (steps back)", ylabel="share of the mean absolute gradient", ylim=(0, None))
    seasons = f", seasons of {season_length} marked" if season_length > 1 else ""
    axes.set_title(f"{name}: influence of past values on the forecast{seasons}")
    return figure


def draw_gradient_norms(history: Sequence[EpochRecord], *, name: str) -> Figure:
    """Return the gradient norm of each layer by epoch, on a logarithmic scale."""
    figure, axes = _single()
    epochs = [record.epoch for record in history]
    layers = list(dict.fromkeys(layer for record in history for layer in record.gradient_norms))
    for layer, color in _layer_colors(layers).items():
        norms = [max(record.gradient_norms.get(layer, np.nan), 1e-12) for record in history]
        axes.plot(epochs, norms, linewidth=1.2, marker=".", markersize=3, label=layer, color=color)
    axes.axhline(VANISHED, color="#b03030", linewidth=1, linestyle="--")
    axes.annotate("a layer below this line no longer trains", (0.01, VANISHED), (0, 3), fontsize=8,
                  xycoords=axes.get_yaxis_transform(), textcoords="offset points", color="#b03030")  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(yscale="log", xlabel="epoch", ylabel="L2 norm of the gradient before clipping")
    axes.set_title(f"{name}: gradient norm by layer")
    columns = -(-len(layers) // LEGEND_ROWS)
    axes.legend(frameon=False, fontsize=7, ncols=columns, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_learning(history: Sequence[EpochRecord], *, name: str) -> Figure:
    """Return training loss and validation error by epoch, with the best epoch of each stage marked."""
    figure, axes = _single()
    label_transform = axes.get_xaxis_transform()
    stages = [list(records) for _, records in itertools.groupby(history, key=lambda record: record.stage)]
    for number, part in enumerate(stages):
        epochs, errors = [record.epoch for record in part], [record.validation_mase for record in part]
        loss, error = ("training loss (scaled pinball)", "validation MASE") if number == 0 else (None, None)
        axes.plot(epochs, [record.loss for record in part], color=MUTED, label=loss)
        axes.plot(epochs, errors, color=FORECAST, linewidth=2, label=error)
        axes.axvline(epochs[0] - 0.5, color=MUTED, linewidth=0.8, linestyle=":")
        axes.text(
            epochs[0] - 0.4,
            0.98,
            part[0].stage,
            transform=label_transform,
            rotation=90,
            va="top",
            fontsize=8,
            color=MUTED,
        )
        if np.isfinite(errors).any():
            best = int(np.nanargmin(errors))
            axes.plot(epochs[best], errors[best], "o", color=FORECAST)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel="loss, MASE (both scaled, no unit)")
    axes.set_title(f"{name}: training by epoch")
    axes.legend(frameon=False)
    return figure


def draw_search(trials: Sequence[SearchTrial], importances: Mapping[str, float], *, title: str) -> Figure:
    """Return the error of each trial of a search, the best error so far, and the importance of each setting.

    Args:
        trials: Number, error (a pruned trial's last one) and whether it was completed, in order.
        importances: Share of each setting in the variance of the errors; can be empty.
        title: Title of the figure.
    """
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    axes, bars = figure.subplots(1, 2, width_ratios=(3, 2))
    completed = [(number, error) for number, error, is_complete in trials if is_complete]
    pruned = [(number, error) for number, error, is_complete in trials if not is_complete]
    for points, marker, color, label in ((completed, "o", FORECAST, "completed"), (pruned, "x", MUTED, "pruned")):
        if points:
            axes.scatter(*zip(*points, strict=True), marker=marker, color=color, label=label)
    best = np.minimum.accumulate([error for _, error in completed])
    numbers = [*(number for number, _ in completed), trials[-1][0]]
    axes.step(numbers, [*best, best[-1]], where="post", color=TRUTH, linewidth=1.2, label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="trial", ylabel="validation MASE")
    axes.legend(frameon=False)
    names = list(importances)[::-1]
    bars.barh(names, [importances[name] for name in names], color=FORECAST)
    bars.set(xlabel="share of the variance of errors", xlim=(0, 1))
    bars.set_yticks(names)
    bars.set_title("importance of each setting" if names else "too few completed trials for importances", fontsize=10)
    figure.suptitle(title)
    return figure


def _layer_colors(layers: Sequence[str]) -> dict[str, Any]:
    """Return a colour for each layer: up to ten have different hues; more share a hue by kind and darken with depth."""
    if len(layers) <= len(HUES):
        return dict(zip(layers, HUES, strict=False))
    kinds: dict[str, list[str]] = {}
    for layer in layers:
        kinds.setdefault(layer.rstrip("0123456789_"), []).append(layer)
    ramps, colors = itertools.cycle(RAMPS), dict[str, Any]()
    for members in sorted(kinds.values(), key=len, reverse=True):
        shades = np.linspace(0.4, 0.95, len(members)) if len(members) > 1 else [0.7]
        colors |= dict(zip(members, colormaps[next(ramps)](shades), strict=True))
    return {layer: colors[layer] for layer in layers}


def entitle(figure: Figure, axes: Axes, title: str) -> None:
    """Give a figure its title, and the legend of one of its panels."""
    figure.suptitle(title)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8)


def draw_bands(
    axes: Axes, x: NDArray[Any], median: NDArray[np.float64], bands: Sequence[tuple[float, Floats, Floats]]
) -> None:
    """Draw a median and its intervals, each as level in per cent, lower and upper bound; the narrowest is the darkest."""
    shades = colormaps["Blues"](np.linspace(0.2, 0.2 + 0.12 * (len(bands) - 1), len(bands)))
    for (level, lower, upper), shade in zip(sorted(bands, key=lambda band: -band[0]), shades, strict=True):
        axes.fill_between(x, lower, upper, color=shade, linewidth=0, label=f"{level:g} % interval")
    axes.plot(x, median, color=FORECAST, linewidth=1.6, label="forecast (median)")


def positions(history: Series, before: int, horizon: int) -> NDArray[Any]:
    """Return x for the last `before` points and the horizon: dates, or steps around the cutoff."""
    stamps, future = history.timestamps, history.future(horizon)
    if stamps is None or future is None:
        return np.arange(-before + 1, horizon + 1)
    return np.concatenate([stamps[-before:], future])


def panels_of(count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels: one or two columns for few, more and smaller ones for many."""
    columns = 1 if count == 1 else 2 if count <= WIDE_PANELS else math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    height = 2.6 if count <= WIDE_PANELS else 1.9
    figure = Figure(figsize=(max(10, 2.8 * columns), 1.2 + height * rows), layout="constrained")
    grid = np.asarray(figure.subplots(rows, columns, squeeze=False)).ravel()
    for axes in grid[count:]:
        axes.remove()
    return figure, list(grid[:count])


def _single() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9.5, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def finish(axes: Axes, title: str, dated: bool, unit: str) -> None:  # noqa: FBT001 - one caller each way
    """Give a panel its title and axis labels."""
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("date" if dated else "step from the cutoff", fontsize=8)
    axes.set_ylabel(unit or "value", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    if dated:
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [nan_if_none(value) for value in values]
