"""Sums: how well the distributions of sums over a horizon are calibrated on benchmark sets, into docs/sums.md.

make bench-sums
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from models import starters
from models.accuracy import covered, known_mean, pinball_losses
from models.calendar.zoned_grid import parse_frequency
from models.errors import AlmanacError
from models.forecast import Forecast, WindowSum
from models.forecaster import Forecaster
from models.forecasting.dependence import Dependence
from models.forecasting.paths import PATH_LEVELS, Marginals
from models.forecasting.request import ForecasterRequest
from models.forecasting.sampling import Sampling, Window
from models.series import Series
from tests.benchmarks.accuracy import ROOT, write
from tests.benchmarks.starter_page import put_between
from tests.benchmarks.zero_shot import table
from training.evaluation.benchmark_sets import BenchmarkSet, hold_out_end, read_index
from training.evaluation.quantile_scores import DECILES, INTERVALS, LEVELS, relative_error

Floats = NDArray[np.float64]

BEGIN = "<!-- figures: written by make bench-sums -->"

ORIGINS = 4
"""Forecasts of one series, each a horizon before the other."""

MOST_SERIES = 60
"""Series of a set, unless another number is asked for."""

PATHS = 200
"""Sample paths of the energy score."""

SEEDS = 20
"""Seeds that the Monte Carlo error is measured with."""

OURS, INDEPENDENT, ADDED = "ours", "independent", "quantiles added"
"""Sums from paths, from paths of independent steps, and the sums of the steps' quantiles of the same level."""

MODELS = (OURS, INDEPENDENT, ADDED)


@dataclass(frozen=True, slots=True)
class SumScores:
    """The figures of one set and window.

    Attributes:
        count: Number of sums.
        coverage: By model, the shares of sums within the central intervals of `INTERVALS`.
        pinball: By model, the mean pinball loss over `DECILES`.
        energy: Mean energy score of the paths by model; only of the whole horizon, and not of added quantiles.
    """

    count: int
    coverage: Mapping[str, Sequence[float]]
    pinball: Mapping[str, float]
    energy: Mapping[str, float]


def evaluate(one: BenchmarkSet, max_series: int) -> dict[str, SumScores]:
    """Return the figures of a set by window: the whole horizon and its first third."""
    forecaster = starters.load_starter(parse_frequency(one.frequency))
    histories, targets = origins_of(one, max_series)
    third = -(-one.horizon // 3)
    windows = (Window("horizon", 1, one.horizon), Window("first third", 1, third))
    asked = Sampling(PATHS, 0, windows)
    request = ForecasterRequest(histories, one.horizon, INTERVALS, (*LEVELS, *PATH_LEVELS), sampling=asked)
    found = []
    for history, target, made in zip(histories, targets, forecaster.forecast_many([request])[0], strict=True):
        if isinstance(made, AlmanacError) or not made.is_finite or made.closed is not None:
            continue
        found.append((target, made, independent(forecaster, history, made, asked)))
    return {window.name: _scores(found, place, window) for place, window in enumerate(windows)}


def origins_of(one: BenchmarkSet, max_series: int) -> tuple[list[Series], list[Floats]]:
    """Return histories and the values after them, without gaps: the end of each series, and earlier origins of it."""
    held = hold_out_end(one, max_series)
    histories, targets = [], []
    for series, steps, target in zip(held.histories, held.steps, held.targets, strict=True):
        if (steps != np.arange(len(steps))).any():
            continue
        values = np.concatenate([series.values, target])
        for back in range(ORIGINS):
            cut = len(series) - back * one.horizon
            after = values[cut : cut + one.horizon] if cut >= max(2 * one.horizon, 2 * one.season) or not back else None
            if after is None or np.isnan(after).any() or np.isnan(values[:cut]).all():
                continue
            histories.append(series.before(cut))
            targets.append(after)
    return histories, targets


def independent(forecaster: Forecaster, history: Series, made: Forecast, asked: Sampling) -> Forecast:
    """Return a forecast with the paths and sums of independent steps."""
    place = {level: at for at, level in enumerate(made.quantile_levels)}
    quantiles = made.quantiles[:, [place[level] for level in PATH_LEVELS]].T
    marginals = replace(Marginals.make(quantiles, history, forecaster.spec, None), dependence=Dependence(0.0, 0.0))
    samples = marginals.sample(asked, made.quantile_levels, (), mean=False)
    return replace(made, paths=samples.paths, sums=samples.sums)


def _scores(found: Sequence[tuple[Floats, Forecast, Forecast]], place: int, window: Window) -> SumScores:
    steps = slice(window.first - 1, window.last)
    truth = np.array([target[steps].sum() for target, _, _ in found])
    tables = {
        OURS: np.array([_levels(ours, ours.sums[place]) for _, ours, _ in found]),
        INDEPENDENT: np.array([_levels(alone, alone.sums[place]) for _, _, alone in found]),
        ADDED: np.array([_added(ours, steps) for _, ours, _ in found]),
    }
    sides = [
        (LEVELS.index(round((1 - level / 100) / 2, 3)), LEVELS.index(round((1 + level / 100) / 2, 3)))
        for level in INTERVALS
    ]
    deciles = [LEVELS.index(level) for level in DECILES]
    coverage = {
        name: [known_mean(covered(truth, quantiles[:, low], quantiles[:, high])) for low, high in sides]
        for name, quantiles in tables.items()
    }
    pinball = {
        name: known_mean(pinball_losses(truth, quantiles[:, deciles], DECILES)) for name, quantiles in tables.items()
    }
    energy = {
        name: float(np.mean([_energy(one[0], one[at].paths) for one in found]))  # type: ignore[union-attr,arg-type]
        for name, at in ((OURS, 1), (INDEPENDENT, 2))
    }
    return SumScores(len(truth), coverage, pinball, energy)


def _levels(forecast: Forecast, found: WindowSum) -> list[float]:
    named = dict(zip(forecast.quantile_levels, found.quantiles, strict=True))
    return [named[level] for level in LEVELS]


def _added(forecast: Forecast, steps: slice) -> Floats:
    places = [forecast.quantile_levels.index(level) for level in LEVELS]
    added: Floats = forecast.quantiles[steps][:, places].sum(axis=0)
    return added


def _energy(target: Floats, paths: Floats) -> float:
    """Return the energy score of sample paths, shape (paths, horizon); pairs of neighbours stand for all pairs.

    Source: Gneiting & Raftery (2007), Strictly proper scoring rules, prediction, and estimation, section 4.3.
    """
    apart = np.linalg.norm(paths - np.roll(paths, 1, axis=0), axis=1).mean()
    return float(np.linalg.norm(paths - target, axis=1).mean() - apart / 2)


def sampling_error(one: BenchmarkSet) -> list[float]:
    """Return the standard deviation, over seeds, of the true level of a sum's quantiles at 0.5, 0.9 and 0.975."""
    forecaster = starters.load_starter(parse_frequency(one.frequency))
    histories, _ = origins_of(one, 10)
    window = Window("horizon", 1, one.horizon)
    levels = tuple(round(0.001 * k, 3) for k in range(1, 1000))
    wanted = [499, 899, 974]
    deviations = []
    for history in histories[:: max(1, len(histories) // 10)]:
        tables = []
        for seed in range(SEEDS):
            (made,) = forecaster.forecast(
                [history], one.horizon, quantiles=levels, sampling=Sampling(0, seed, (window,))
            )
            tables.append(made.sums[0].quantiles)
        mean = np.mean(tables, axis=0)
        if mean[0] < mean[-1]:
            deviations.append([np.std([np.interp(row[at], mean, levels) for row in tables]) for at in wanted])
    return [float(one) for one in np.mean(deviations, axis=0)]


def render(
    results: Mapping[BenchmarkSet, Mapping[str, SumScores]],
    command: str,
    day: str,
    errors: Mapping[str, Sequence[float]],
) -> str:
    """Return the figures as Markdown: the means by frequency for both windows, every set, and the sampling error.

    Args:
        results: By set and window.
        command: As a user writes it.
        day: When it ran, such as 2026-11-29.
        errors: What `sampling_error` returned, by the name of the set.
    """
    count = sum(found["horizon"].count for found in results.values())
    made = f"`{command}` on {day}, {count:,} forecasts of {len(results)} sets by the starters, up to {ORIGINS} origins of each series."
    parts = [made]
    for window in ("horizon", "first third"):
        parts += [
            f"Sums over the {'whole horizon' if window == 'horizon' else window}, means over sets:",
            _means(results, window),
        ]
    parts += ["Sums over the whole horizon, by set:", _sets(results)]
    for name, deviations in errors.items():
        shown = ", ".join(f"{error:.4f} at {level}" for level, error in zip((0.5, 0.9, 0.975), deviations, strict=True))
        parts.append(
            f"Sampling error: over seeds, the level of a sum's quantile has a standard deviation of {shown} ({SEEDS} seeds, {name})."
        )
    return "\n\n".join(parts) + "\n"


def _means(results: Mapping[BenchmarkSet, Mapping[str, SumScores]], window: str) -> str:
    frequencies = list(dict.fromkeys(one.frequency for one in results))
    groups = {name: [found[window] for one, found in results.items() if one.frequency == name] for name in frequencies}
    groups["all"] = [found[window] for found in results.values()]
    rows = []
    for name, group in groups.items():
        coverage = [_covered(np.mean([one.coverage[model] for one in group], axis=0)) for model in MODELS]
        losses = [
            relative_error((one.pinball[model], one.pinball[INDEPENDENT]) for one in group) for model in (OURS, ADDED)
        ]
        energy = relative_error((one.energy[OURS], one.energy[INDEPENDENT]) for one in group)
        shown = [f"{number:.3f}" for number in (*losses, *([energy] if window == "horizon" else []))]
        rows.append([name, str(len(group)), *coverage, *shown])
    headings = [f"{model}: in 50, 80, 95 %" for model in MODELS]
    losses_of = [f"{model}: pinball" for model in (OURS, ADDED)]
    return table(
        ["frequency", "sets", *headings, *losses_of, *(["energy score"] if window == "horizon" else [])], rows, texts=1
    )


def _sets(results: Mapping[BenchmarkSet, Mapping[str, SumScores]]) -> str:
    rows = []
    for one, found in results.items():
        scores = found["horizon"]
        losses = [f"{scores.pinball[model] / scores.pinball[INDEPENDENT]:.3f}" for model in (OURS, ADDED)]
        coverage = [_covered(scores.coverage[model]) for model in MODELS]
        rows.append([one.name, one.frequency, f"{one.horizon}", f"{scores.count}", *coverage, *losses])
    headings = [f"{model}: in 50, 80, 95 %" for model in MODELS]
    losses_of = [f"{model}: pinball" for model in (OURS, ADDED)]
    return table(["set", "frequency", "steps", "sums", *headings, *losses_of], rows, texts=2)


def _covered(shares: Iterable[float]) -> str:
    return ", ".join(f"{100 * share:.0f}" for share in shares)


FOLDER = click.Path(path_type=Path)


@click.command()
@click.option("--data", "folder", type=FOLDER, default=Path("../shared/data/development"), show_default=True)
@click.option("--page", type=FOLDER, default=ROOT / "docs" / "sums.md", show_default=True)
@click.option(
    "--max-series", type=click.IntRange(1), default=MOST_SERIES, show_default=True, help="Of a set, evenly spaced."
)
@click.option("--only", multiple=True, help="Name of a set; may be repeated.")
def sums(folder: Path, page: Path, max_series: int, only: Sequence[str]) -> None:
    """Evaluate sums over the horizon, and write the figures into the page."""
    before = page.read_text(encoding="utf-8")
    results = {}
    for one in read_index(folder, only):
        results[one] = evaluate(one, max_series)
        click.echo(f"{one.name}: {results[one]['horizon']}", err=True)
    monthly = [one for one in results if one.frequency == "M"] or list(results)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    changed = [f"--max-series {max_series}"] if max_series != MOST_SERIES else []
    arguments = " ".join([*(f"--only {name}" for name in only), *changed])
    command = f"make bench-sums SETS={folder.name}" + (f' ARGS="{arguments}"' if arguments else "")
    text = render(results, command, day, {monthly[0].name: sampling_error(monthly[0])})
    write(page, put_between(before, BEGIN, text))
    click.echo(f"{page} is written.", err=True)


if __name__ == "__main__":
    sums()
