"""Descriptions: what MLflow's pages say in Markdown of runs and versions: winner, decision, data, scores."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from training.data.holdout import Split
from training.data.series_set import SeriesSet
from training.evaluation.comparison import Comparison, Result
from training.evaluation.promotion import PromotionDecision
from training.registry.views import COMPARISON, run_fragment, view_fragment

NOTE = "mlflow.note.content"
"""Tag of a run or an experiment with its description."""

SECTIONS = ("Winner", "Decision", "Result", "Data", "Warnings", "Scores", "Figure", "Run")
"""Titles of the parts of a description, in their order."""

_TITLE = re.compile(rf"(?:^|\n\n)\*\*({'|'.join(SECTIONS)})\*\*: ")

COLUMNS = ("model", "kind", "MASE", "sMAPE", "in 80 %", "in 95 %", "skill", "validation MASE", "train s", "forecast ms")
_METRICS = (
    "backtest.mase",
    "backtest.smape",
    "backtest.coverage_80",
    "backtest.coverage_95",
    "backtest.skill_seasonal_naive",
    "validation.mase",
    "train_seconds",
    "forecast_ms",
)


def with_sections(note: str, sections: Mapping[str, str]) -> str:
    """Return a description with these sections, in place of its older ones; what a person wrote above them stays."""
    own, *parts = _TITLE.split(note)
    found = dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True)) | dict(sections)
    texts = [f"**{title}**: {found[title]}" for title in SECTIONS if found.get(title)]
    return "\n\n".join([*([own.strip()] if own.strip() else []), *texts])


def sections_of(note: str) -> dict[str, str]:
    """Return the sections of a description by title."""
    _, *parts = _TITLE.split(note)
    return dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))


def describe_data(data: SeriesSet, split: Split, horizon: int, origins: int) -> str:
    """Return one line about the data of a comparison."""
    where = "at 1 origin" if origins == 1 else f"at each of {origins} origins"
    season = f", seasons of {split.season_length}" if split.season_length > 1 else ""
    return (
        f"`{data.path.name}`: {len(data.series)} series, {data.observed:,} observations, frequency {data.frequency.name}"
        f"{season}; {horizon} steps held out {where}."
    )


def describe_winner(winner: Result, comparison: Comparison) -> str:
    """Return the winner, its errors, and which baselines it beats."""
    why = " It was picked by a person." if comparison.pick else ""
    if not comparison.pick and comparison.unclear:
        why = f" `{comparison.unclear.name}` errs less on validation, but not clearly."
    return f"`{winner.name}`, {describe_result(winner, comparison)}{why}"


def describe_result(result: Result, comparison: Comparison) -> str:
    """Return the errors of a candidate, and which baselines it beats, each on the series of that baseline."""
    beaten, others = list[str](), list[str]()
    for name, one in comparison.baselines.items():
        error = one.scores.mase.mean()
        is_beaten = one.same_rows(result.scores).mase.mean() < error
        (beaten if is_beaten else others).append(f"{name} ({error:.3f})")
    mase, validation = result.scores.mase.mean(), result.validation_mase
    against = (f"beats {_join(beaten)}" if beaten else "") + (" but " if beaten and others else "")
    against += f"does not beat {_join(others)}" if others else ""
    whole = "It beats every baseline: " + _join(beaten) if not others else f"It {against}"
    return f"MASE {mase:.3f} (validation {validation:.3f}). {whole}."


def describe_decision(decision: PromotionDecision, version: str) -> str:
    """Return whether a version was promoted, and why."""
    what = f"version {version} was {'promoted' if decision.promote else 'not promoted'}"
    notes = "".join(f" {one}" for one in decision.notes)
    return f"{what}{' by force' if decision.forced else ''}. {decision.reason}{notes}"


def comparison_table(comparison: Comparison, winner: Result) -> dict[str, list[Any]]:
    """Return the scores of every candidate and baseline by column, the least MASE first."""
    rows = [
        (one.name, "winner" if one is winner else "candidate", comparison.summary_metrics(one))
        for one in comparison.results
    ]
    rows += [(name, "baseline", comparison.baseline_metrics(name)) for name in comparison.baselines]
    rows.sort(key=lambda row: row[2]["backtest.mase"])
    values = [(name, kind, *(metrics.get(key) for key in _METRICS)) for name, kind, metrics in rows]
    return {column: [row[at] for row in values] for at, column in enumerate(COLUMNS)}


def markdown_table(table: Mapping[str, Sequence[Any]]) -> str:
    """Return a table in Markdown, numbers with three decimals."""
    lines = [" | ".join(table), " | ".join("---" for _ in table)]
    lines += [" | ".join(map(_cell, row)) for row in zip(*table.values(), strict=True)]
    return "\n".join(f"| {line} |" for line in lines)


def describe_scores(table: Mapping[str, Sequence[Any]], experiment: str) -> str:
    """Return the scores as a table, with a link to the runs."""
    link = view_fragment(experiment, COMPARISON)
    return f"least MASE first; [the newest comparison's runs]({link})\n\n{markdown_table(table)}"


def describe_version(note: str, experiment: str, run_id: str) -> str:
    """Return the description of a version from that of the comparison that made it."""
    kept = {title: text for title, text in sections_of(note).items() if title in {"Winner", "Decision", "Data"}}
    where = f"[{run_id}]({run_fragment(experiment, run_id)}) has the comparison, its scores and its figures."
    return with_sections("", {**kept, "Run": where})


def _join(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
