"""Terminal: what a training tells the person who watches it; on standard error, so that results stay alone on output."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from models.errors import Finding
from models.series import Forecast
from training.candidate import Candidate, EpochRecord
from training.comparison import Comparison, tell_sample
from training.mixture import Mixture

if TYPE_CHECKING:
    from training.pipeline import Outcome
    from training.reproduction import Reproduction

PLAIN_WIDTH = 160
"""Columns where nobody's terminal says how many there are."""

FORECASTS_SHOWN = 5

SILENT_SERIES = 50
"""Up to so many series a file gets no lines of progress."""

STANDARD_ERROR = 2
"""Its file descriptor."""


def plain_console(*, stderr: bool) -> Console:
    """Return a console that does not squeeze tables where output is a file or a pipe."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


@dataclass(frozen=True, slots=True)
class Terminal:
    """The progress of a training, as one line for each candidate that a terminal rewrites and a file collects.

    Attributes:
        console: Where lines are printed.
        tell: What is handed every line as data too: `text`, and of an epoch its figures beside it.
    """

    console: Console = field(default_factory=lambda: plain_console(stderr=True))
    tell: Callable[[dict[str, Any]], None] | None = None

    def say(self, text: str, style: str = "") -> None:
        """Print one line."""
        self.console.print(Text(text, style=style), soft_wrap=True)
        if self.tell is not None:
            self.tell({"text": text})

    def say_findings(self, findings: Sequence[Finding]) -> None:
        """Print what was noticed about the data."""
        for finding in findings:
            self.say(f"  {finding.code}: {finding.detail} {finding.hint}".rstrip(), "yellow")

    def say_choice(self, name: str, candidate: Candidate) -> None:
        """Print what was chosen on the validation origins: how members are averaged, or how a network was fitted."""
        if candidate.mixture is not None:
            self.say(describe_mixture(name, candidate, candidate.mixture))
        elif candidate.forecaster.spec.options.get("steps") is not None:
            self.say(describe_fit(name, candidate))

    @contextmanager
    def training(self, name: str) -> Iterator[Callable[[EpochRecord], None]]:
        """Yield what to call after every epoch of one candidate."""
        if self.tell is not None:
            yield partial(self._tell_epoch, name, self.tell)
            return
        if not self.console.is_terminal:
            yield lambda record: self.say(describe_epoch(name, record))
            return
        with Live(Text(f"{name}: preparing"), console=self.console, refresh_per_second=4) as live:
            yield lambda record: live.update(Text(describe_epoch(name, record)))

    def _tell_epoch(self, name: str, tell: Callable[[dict[str, Any]], None], record: EpochRecord) -> None:
        """Print one epoch, and hand it over as data."""
        text = describe_epoch(name, record)
        self.console.print(Text(text), soft_wrap=True)
        figures = {"loss": record.loss, "validation_mase": record.validation_mase, "seconds": record.seconds}
        known = {key: value if math.isfinite(value) else None for key, value in figures.items()}
        tell({"text": text, "candidate": name, "epoch": record.epoch, "step": record.step, **known})

    @contextmanager
    def counting(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Yield what to call with the number of series done; a file gets a line for each tenth of them."""
        text = f"{name}: {{}} of {total} series".format
        if not self.console.is_terminal:
            tenth = max(1, -(-total // 10))
            yield lambda done: self.say(text(done)) if done % tenth == 0 and total > SILENT_SERIES else None
            return
        with Live(Text(text(0)), console=self.console, refresh_per_second=4, transient=True) as live:
            yield lambda done: live.update(Text(text(done)))


@contextmanager
def native_noise_hidden() -> Iterator[None]:
    """Hide what C++ libraries write to standard error while they load; TensorFlow has no setting for all of it."""
    kept = os.dup(STANDARD_ERROR)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), STANDARD_ERROR)
        yield
    finally:
        os.dup2(kept, STANDARD_ERROR)
        os.close(kept)


def describe_epoch(name: str, record: EpochRecord) -> str:
    """Return one epoch as one line."""
    known = math.isfinite(record.validation_mase)
    error = f"validation MASE {record.validation_mase:.4f}" if known else f"{'nothing held out':<22}"
    stage = f"  ({record.stage})" if record.stage else ""
    return (
        f"{name:<14} epoch {record.epoch:>3}  step {record.step:>5}  loss {record.loss:.4f}  "
        f"{error}  {record.seconds:6.1f} s{stage}"
    )


def comparison_table(comparison: Comparison) -> Table:
    """Return candidates and baselines side by side, the best figure of each column marked, the winner named."""
    table = Table(
        title="Backtest on the held-out end of each series; the winner is chosen on validation origins before it",
        title_justify="left",
    )
    headings = (
        "model",
        "MASE",
        "sMAPE",
        "in 80 %",
        "in 95 %",
        "skill",
        "validation MASE",
        "train s",
        "forecast ms",
        "MB",
        "",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading in {"model", ""} else "right")
    rows = {result.name: comparison.summary_metrics(result) for result in comparison.results}
    rows |= {name: comparison.baseline_metrics(name) for name in comparison.baselines}
    partial = {name: one.sample for name, one in comparison.baselines.items() if one.sample and not one.sample.is_whole}
    best = _best({name: metrics for name, metrics in rows.items() if name not in partial})
    winner = comparison.winner.name if comparison.results else ""
    for name, metrics in rows.items():
        cells = [_cell(metrics, key, decimals, best.get(key)) for key, decimals in _COLUMNS.items()]
        table.add_row(name, *cells, "◀ winner" if name == winner else "")
    if partial:
        table.caption = f"{'; '.join(tell_sample(*one) for one in partial.items())}. Skill is on the same series."
    for failure in comparison.failures:
        table.add_row(failure.name, *[""] * len(_COLUMNS), "failed")
    return table


def describe_outcome(outcome: "Outcome") -> list[str]:
    """Return who won, whether it beats the baselines, and what became of the champion alias and why."""
    comparison, decision = outcome.comparison, outcome.decision
    winner = comparison.winner
    beats = "beats every baseline" if comparison.beats_baselines(winner) else "does not beat every baseline"
    verdict = "is champion" if decision.promote else "stays challenger"
    return [
        f"{outcome.name} version {outcome.version}: {winner.name}, which {beats} on the held-out block.",
        *_how_chosen(comparison),
        f"It {verdict}. {decision.reason}",
        *decision.notes,
        *(f"{one.name} failed at step {one.step}: {one.cause}" for one in comparison.failures),
        f"Run {outcome.run_id}; almanac ui shows it.",
    ]


def describe_reproduction(found: "Reproduction") -> list[str]:
    """Return each figure as it was recorded and as it came out again, and whether the weights are the same."""
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


def describe_mixture(name: str, whole: Candidate, mixture: Mixture) -> str:
    """Return how an average was made, in one line: who counts how much, how far apart they are, what else was tried.

    Of the averages that an `auto` tried, the one taken is told; all stand in JSON and MLflow.
    """
    weights = ", ".join(f"{member} {weight:.2f}" for member, weight in mixture.weights.items())
    how = mixture.combination.replace("_", " ")
    spread = (
        f"; its members' medians deviate by {whole.validation['spread']:.3f} of the scale"
        if len(mixture.weights) > 1
        else ""
    )
    told = {way: loss for way, loss in mixture.losses.items() if "+" not in way or way == "+".join(mixture.weights)}
    losses = ", ".join(f"{way} {loss:.4f}" for way, loss in told.items())
    return f"{name}: {how} weights ({weights}){spread}; validation losses: {losses}"


def describe_fit(name: str, candidate: Candidate) -> str:
    """Return what a network's trials came to, in one line, and what of the tuned weights a tuned one has."""
    spec = candidate.forecaster.spec
    share, tuned = spec.options.get("synthetic_share"), spec.options.get("tuned_share")
    chosen = [
        f"{spec.options['steps']} steps on {'logarithms' if spec.transform == 'log' else 'plain values'}",
        *(["without the calendar"] if spec.options.get("calendar") is False else []),
        *([f"{share:.0%} of the windows synthetic"] if share else []),
        *([f"{tuned:.0%} of the tuned weights"] if tuned is not None else []),
    ]
    return f"{name}: {', '.join(chosen)}; validation MASE {candidate.validation['mase']:.4f}"


def _how_chosen(comparison: Comparison) -> list[str]:
    """Return that a candidate was picked by hand, and which one validation would have chosen."""
    if not comparison.pick:
        return []
    return [f"It was picked by hand; validation's winner is {comparison.best.name}."]


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
    for heading in ("series", "step", "median", *(f"{level:g} % interval" for level in levels)):
        table.add_column(heading, justify="left" if heading in {"series", "step"} else "right")
    for forecast, times in list(zip(forecasts, stamps, strict=True))[:FORECASTS_SHOWN]:
        for step, time in enumerate(times):
            sides = [f"{one.lower[step]:.4g} … {one.upper[step]:.4g}" for one in forecast.intervals]
            table.add_row(forecast.id if step == 0 else "", time, f"{forecast.median[step]:.4g}", *sides)
        table.add_section()
    if len(forecasts) > FORECASTS_SHOWN:
        table.caption = f"The first {FORECASTS_SHOWN}; --output writes all."
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


_COLUMNS = {
    "backtest.mase": 3,
    "backtest.smape": 2,
    "backtest.coverage_80": 3,
    "backtest.coverage_95": 3,
    "backtest.skill_seasonal_naive": 3,
    "validation.mase": 3,
    "train_seconds": 1,
    "forecast_ms": 2,
    "network_mb": 2,
}
"""Columns of the comparison, with their decimals."""

_LESS_IS_BETTER = ("backtest.mase", "backtest.smape", "validation.mase")


def _best(rows: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    columns = {key: [row[key] for row in rows.values() if key in row] for key in _COLUMNS}
    best = {key: min(columns[key]) for key in _LESS_IS_BETTER if columns[key]}
    return {**best, "backtest.skill_seasonal_naive": max(columns["backtest.skill_seasonal_naive"])}


def _cell(metrics: Mapping[str, float], key: str, decimals: int, best: float | None) -> Text:
    if key not in metrics:
        return Text("")
    return Text(f"{metrics[key]:.{decimals}f}", style="bold green" if metrics[key] == best else "")
