"""Tables and sentences that the commands print: comparisons, scores, forecasts, versions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from models.forecast import Forecast
from models.names import STARTER
from training.evaluation.comparison import Comparison, Result, describe_sample

if TYPE_CHECKING:
    from training.pipeline.reproduce import Reproduction
    from training.pipeline.train import Outcome

FORECASTS_SHOWN = 5


UNCLEAR = "{} has the lowest validation error, but does not clearly err less than the starter, which was not fitted to these origins."
"""Why the starter wins all the same."""


STARTER_MAY_BE_BETTER = "The starter may be better: compare with `almanac forecast --model starter`."
"""What is said of a champion that loses to a baseline: it answers in the starter's place."""


def comparison_table(comparison: Comparison, winner: Result) -> Table:
    """Return candidates and baselines side by side, with the best figure of each column and the winner marked."""
    table = Table(
        title="Backtest on the held-out end of each series; the winner is chosen on validation origins before it",
        title_justify="left",
    )
    table.add_column("model")
    for heading, _ in _COLUMNS.values():
        table.add_column(heading, justify="right")
    table.add_column("")
    rows = {result.name: comparison.summary_metrics(result) for result in comparison.results}
    rows |= {name: comparison.baseline_metrics(name) for name in comparison.baselines}
    partial = {
        name: one.sample for name, one in comparison.baselines.items() if one.sample and not one.sample.is_complete
    }
    best = _best({name: metrics for name, metrics in rows.items() if name not in partial})
    for name, metrics in rows.items():
        cells = [_cell(metrics, key, decimals, best.get(key)) for key, (_, decimals) in _COLUMNS.items()]
        table.add_row(name, *cells, "◀ winner" if name == winner.name else "")
    if partial:
        table.caption = f"{'; '.join(describe_sample(*one) for one in partial.items())}. Skill is on the same series."
    for failure in comparison.failures:
        table.add_row(failure.name, *[""] * len(_COLUMNS), "failed")
    return table


def segments_table(models: Mapping[str, Mapping[str, Any]], failed: Mapping[str, str]) -> Table:
    """Return the model of each segment, and the segments without a new one."""
    table = Table("segment", "model", "version", "winner", title="One model for each segment", title_justify="left")
    table.add_column("MASE", justify="right")
    table.add_column("")
    for value, one in models.items():
        verdict = "champion" if one["decision"]["promote"] else "challenger"
        table.add_row(Text(value), one["name"], one["version"], one["winner"], f"{one['mase']:.3f}", verdict)
    for value, cause in failed.items():
        table.add_row(Text(value), "", "", "", "", Text(f"failed: {cause}"))
    return table


def describe_outcome(outcome: "Outcome") -> list[str]:
    """Return the winner, whether it beats the baselines, and whether and why it became champion."""
    comparison, decision = outcome.comparison, outcome.decision
    winner = outcome.compared.winner
    lost = [
        f"{name.replace('_', ' ')} (MASE {own:.3g} against {other:.3g})"
        for name, (own, other) in comparison.lost_to(winner).items()
    ]
    beats = f"loses to {' and to '.join(lost)}" if lost else "beats every baseline"
    verdict = "is champion" if decision.promote else "stays challenger"
    return [
        f"{outcome.name} version {outcome.version}: {winner.name}, which {beats} on the held-out block.",
        *_how_chosen(outcome),
        f"It {verdict}. {decision.reason}",
        *([STARTER_MAY_BE_BETTER] if lost and decision.promote and winner.name != STARTER else []),
        *decision.notes,
        *(f"{one.name} failed at step {one.step}: {one.cause}" for one in comparison.failures),
        f"Run {outcome.run_id}; almanac ui shows it.",
    ]


def describe_reproduction(found: "Reproduction") -> list[str]:
    """Return each figure as recorded and as found now, and whether the weights are the same."""
    rows = [
        f"{name:<32} {then:>12.6g} {now:>12.6g}  {'same' if then == now else f'{now - then:+.3g}'}"
        for name, (then, now) in found.figures.items()
    ]
    same = "the same, bit by bit" if found.same_weights else "not the same"
    which = " and ".join(found.weights) or "no"
    return [
        f"{'':<32} {'recorded':>12} {'now':>12}",
        *rows,
        f"The {which} weights are {same}. Run {found.new_run_id}; almanac ui shows it.",
    ]


def _how_chosen(outcome: "Outcome") -> list[str]:
    """Return why the winner is not the candidate with the least validation error, if it is not."""
    if outcome.comparison.pick:
        return [f"It was picked by hand; validation's winner is {outcome.comparison.best.name}."]
    unclear = outcome.comparison.unclear
    gain = [] if unclear is None else [UNCLEAR.format(unclear.name)]
    return [*gain, *outcome.compared.notes]


def scores_table(rows: Mapping[str, Mapping[str, float]], dropped: int) -> Table:
    """Return the rows of a backtest, by the names that its JSON has."""
    note = f"; {dropped} series dropped, as said above" if dropped else ""
    table = Table(title=f"Backtest{note}", title_justify="left")
    keys = (
        "mase",
        "mase_median",
        "smape",
        "mae",
        "coverage_80",
        "coverage_95",
        "skill",
        "train_seconds",
        "forecast_ms",
        "network_mb",
        "series_scored",
    )
    for key in ("model", *keys):
        table.add_column(key, justify="left" if key == "model" else "right")
    scored = max(row["series_scored"] for row in rows.values())
    best = min(row["mase"] for row in rows.values() if row["series_scored"] == scored)
    for name, row in rows.items():
        cells = [
            f"{row[key]:.0f}" if key == "series_scored" else f"{row[key]:.3f}" if key in row else "" for key in keys
        ]
        table.add_row(name, *cells, style="bold green" if row["mase"] == best else "")
    return table


def blocks_table(blocks: Mapping[str, Sequence[Mapping[str, float]]]) -> Table:
    """Return each row's MASE and 80 % coverage at each origin of a backtest, since one block may be calm, another wild."""
    table = Table(title="Origin by origin, newest first", title_justify="left")
    table.add_column("mase (coverage_80)")
    for number, row in enumerate(next(iter(blocks.values())), start=1):
        table.add_column(f"{number}: {row['series_scored']:.0f} series", justify="right")
    for name, rows in blocks.items():
        table.add_row(name, *(f"{row['mase']:.3f} ({row['coverage_80']:.3f})" for row in rows))
    return table


def forecast_table(forecasts: Sequence[Forecast], stamps: Sequence[Sequence[str]]) -> Table:
    """Return the first forecasts, a row for each step."""
    table = Table(title=f"{len(forecasts)} series forecast", title_justify="left")
    levels = [interval.level for interval in forecasts[0].intervals]
    means = [] if forecasts[0].mean is None else ["mean"]
    for heading in ("series", "step", "median", *means, *(f"{level:g} % interval" for level in levels)):
        table.add_column(heading, justify="left" if heading in {"series", "step"} else "right")
    for forecast, times in list(zip(forecasts, stamps, strict=True))[:FORECASTS_SHOWN]:
        for step, time in enumerate(times):
            sides = [f"{one.lower[step]:.4g} … {one.upper[step]:.4g}" for one in forecast.intervals]
            points = [f"{one[step]:.4g}" for one in (forecast.median, forecast.mean) if one is not None]
            table.add_row(forecast.id if step == 0 else "", time, *points, *sides)
        table.add_section()
    if len(forecasts) > FORECASTS_SHOWN:
        table.caption = f"The first {FORECASTS_SHOWN}; --output writes all."
    return table


def sums_table(forecasts: Sequence[Forecast]) -> Table:
    """Return the sums of the first forecasts, a row for each window."""
    table = Table(title="Sums", title_justify="left")
    levels = [interval.level for interval in forecasts[0].intervals]
    means = [] if forecasts[0].mean is None else ["mean"]
    for heading in ("series", "steps", "median", *means, *(f"{level:g} % interval" for level in levels)):
        table.add_column(heading, justify="left" if heading in {"series", "steps"} else "right")
    for forecast in forecasts[:FORECASTS_SHOWN]:
        for place, one in enumerate(forecast.sums):
            points = [f"{point:.4g}" for point in (one.median, one.mean) if point is not None]
            sides = [f"{low:.4g} … {high:.4g}" for _, low, high in one.intervals]
            table.add_row(forecast.id if place == 0 else "", one.name, *points, *sides)
    return table


def models_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the registered versions."""
    table = Table(title="Registered models", title_justify="left")
    keys = {"MASE": "backtest.mase", "coverage 80 %": "backtest.coverage_80", "skill": "backtest.skill_seasonal_naive"}
    for heading in ("name", "version", "aliases", "architecture", *keys, "created"):
        table.add_column(heading, justify="right" if heading in keys else "left")
    for row in rows:
        cells = [f"{row['metrics'][key]:.3f}" if key in row["metrics"] else "" for key in keys.values()]
        aliases = ", ".join(row["aliases"])
        table.add_row(row["name"], row["version"], aliases, row["architecture"], *cells, row["created"])
    return table


def zero_shot_table(sets: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the starter's figures on each set, by the names that the JSON of `almanac evaluate-starter` has."""
    table = Table(title="Zero-shot, by set: errors relative to the seasonal naive, MASE of all", title_justify="left")
    headings = ("frequency", "series", "relative MASE", "relative WQL", "in 50 %", "in 80 %", "in 95 %")
    models = list(dict.fromkeys(name for row in sets.values() for name in row["models"]))
    for heading in ("set", *headings, *models, "seconds"):
        table.add_column(heading, justify="left" if heading in {"set", "frequency"} else "right")
    for name, row in sets.items():
        own, relative = row["models"]["starter"], row["relative"]["starter"]
        figures = [relative["mase"], relative["wql"], *(own[f"coverage_{level}"] for level in (50, 80, 95))]
        figures += [row["models"][model]["mase"] for model in models]
        table.add_row(
            name, row["frequency"], str(row["series"]), *map(_three_decimals, figures), f"{row['seconds']:.2f}"
        )
    return table


def zero_shot_means_table(means: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the geometric means of relative errors and the mean coverage by frequency, and over all sets."""
    table = Table(title="Geometric means of relative errors, mean coverage", title_justify="left")
    models = list(means["all"]["relative"])
    errors = [(model, measure) for model in models for measure in ("mase", "wql", "sql")]
    for heading in ("frequency", "sets", *(f"{model} {measure}" for model, measure in errors)):
        table.add_column(heading, justify="left" if heading == "frequency" else "right")
    for level in (50, 80, 95):
        table.add_column(f"in {level} %", justify="right")
    for name, row in means.items():
        figures = [row["relative"][model][measure] for model, measure in errors]
        figures += [row[f"coverage_{level}"] for level in (50, 80, 95)]
        table.add_row(name, str(row["sets"]), *map(_three_decimals, figures))
    return table


def _three_decimals(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"


_COLUMNS = {
    "backtest.mase": ("MASE", 3),
    "backtest.smape": ("sMAPE", 2),
    "backtest.coverage_80": ("in 80 %", 3),
    "backtest.coverage_95": ("in 95 %", 3),
    "backtest.skill_seasonal_naive": ("skill", 3),
    "validation.mase": ("validation MASE", 3),
    "train_seconds": ("train s", 1),
    "forecast_ms": ("forecast ms", 2),
    "network_mb": ("MB", 2),
}
"""Columns of the comparison: metric, heading and decimals."""

_LESS_IS_BETTER = ("backtest.mase", "backtest.smape", "validation.mase")


def _best(rows: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    columns = {key: [row[key] for row in rows.values() if key in row] for key in _COLUMNS}
    best = {key: min(columns[key]) for key in _LESS_IS_BETTER if columns[key]}
    return {**best, "backtest.skill_seasonal_naive": max(columns["backtest.skill_seasonal_naive"])}


def _cell(metrics: Mapping[str, float], key: str, decimals: int, best: float | None) -> Text:
    if key not in metrics:
        return Text("")
    return Text(f"{metrics[key]:.{decimals}f}", style="bold green" if metrics[key] == best else "")
