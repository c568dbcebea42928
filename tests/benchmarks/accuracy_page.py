"""The accuracy page: Markdown made of docs/accuracy.json and of nothing else."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

INTRODUCTION = """# Accuracy

`make bench-accuracy` writes this page from docs/accuracy.json. Each command below is the one that a user runs, with the
defaults of `almanac`: transform, calendar, length of training and calibration are chosen on validation origins before the
cutoff, the context from season and data, and nothing from the held-out points.

MASE is the mean over series of the mean absolute error divided by the in-sample error of the seasonal naive, as in the Monash
archive. *in 80 %* and *in 95 %* are the shares of observations within those intervals, *crossing* is the share of neighbouring
quantiles in the wrong order, *train s* the seconds of one training, *forecast ms* the median time of one series' forecast, and
*MB* the size of the network's file.

Every row is of the day and commit that the last section names. `starter`, `starter_tuned` and `auto` of before 2026-11-30 were not yet
blended with `Y`, and `auto` was not yet weighed beside the starter ([docs/ensembles.md](ensembles.md#starters-fine-tuning-and-auto)).
"""

COLUMNS = {
    "mean MASE": ("mase", ".3f"),
    "median MASE": ("mase_median", ".3f"),
    "sMAPE": ("smape", ".2f"),
    "in 80 %": ("coverage_80", ".1%"),
    "in 95 %": ("coverage_95", ".1%"),
    "crossing": ("crossings", ".0%"),
    "train s": ("train_seconds", ".0f"),
    "forecast ms": ("forecast_ms", ".2f"),
    "MB": ("network_mb", ".2f"),
}
"""Our columns: where a figure lies in a row of `almanac backtest --json`, and how it is shown."""

METRICS = {
    "mean MASE": ("mean_MASE", ".3f"),
    "median MASE": ("median_MASE", ".3f"),
    "mean sMAPE": ("mean_sMAPE", ".2f"),
    "mean MAE": ("mean_MAE", ".2f"),
    "mean RMSE": ("mean_RMSE", ".2f"),
}
"""The published table's columns."""


def render(record: Mapping[str, Any], order: Sequence[str]) -> str:
    """Return the page: a section for each set, its architectures together, published rows beside ours.

    Args:
        record: Raw results by question, and published figures.
        order: Names of the questions, in which sections come.
    """
    answers = [record["answers"][key] for key in order if key in record["answers"]]
    titles = dict.fromkeys(one["question"]["title"] for one in answers)
    sections = [_section([one for one in answers if one["question"]["title"] == title], record) for title in titles]
    return "\n".join([INTRODUCTION, *sections, _surroundings(answers)])


def _section(answers: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> str:
    question, result = answers[0]["question"], answers[0]["result"]
    counts = next(iter(result["models"].values()))
    blocks = f", {question['origins']} times, a network trained before each," if question.get("origins", 1) > 1 else ""
    scored = f"{counts['series_scored']:.0f} series scored{blocks} on {question['horizon']} steps"
    left = f", {result['dropped']} left out" if result["dropped"] else ""
    cut = f"; all series cut after {question['cutoff']}" if question["cutoff"] else ""
    parts = [
        f"## {question['title']}\n\n{scored}{left}{cut}.\n",
        _table(COLUMNS, _our_rows(answers)),
        _blocks(answers),
        _ensembles(answers),
        _same_series(answers),
    ]
    if len(answers) > 1:
        parts.append(_architectures(answers))
    if published := record["published"].get(question["published"], {}):
        best_first = sorted(published.items(), key=lambda item: item[1].get("mean_MASE", float("inf")))
        parts.append(f"Published for {question['published']}, best first:\n")
        parts.append(_table(METRICS, best_first))
    return "\n".join(part for part in parts if part)


def _our_rows(answers: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, Mapping[str, float]]]:
    """Yield each seed, the median over seeds and the ensemble of each architecture; then the baselines, once."""
    baselines: dict[str, tuple[str, Mapping[str, float]]] = {}
    for answer in answers:
        result, architecture, label = answer["result"], answer["question"]["architecture"], _label(answer)
        models = result["models"]
        seeds = _seeds(result, architecture)
        for name, row in seeds.items():
            seedless = architecture == "starter"
            yield label if seedless else f"{label}, seed {name.partition('/')[2] or '0'}", row
        if len(seeds) > 1:
            middle = {key: statistics.median(row[key] for row in seeds.values()) for key in next(iter(seeds.values()))}
            yield f"**{label}, median of {len(seeds)} seeds**", middle
        if "ensemble" in models:
            yield f"**{label}, ensemble of the seeds**", models["ensemble"]
        for name, why in result.get("failed", {}).items():
            yield f"{name} failed: {why}", {}
        for name, row in models.items():
            if name not in {architecture, "ensemble", *seeds}:
                baselines.setdefault(name, (_with_sample(name, result), row))
    yield from baselines.values()


def _label(answer: Mapping[str, Any]) -> str:
    """Return an architecture's name, with the settings that set it apart."""
    question = answer["question"]
    return " ".join([question["architecture"], *question.get("settings", [])])


def _seeds(result: Mapping[str, Any], architecture: str) -> dict[str, Mapping[str, float]]:
    """Return the rows of an architecture's seeds; with one seed the architecture's own row."""
    models = result["models"]
    found = {name: row for name, row in models.items() if name.startswith(f"{architecture}/")}
    return found or {name: row for name, row in models.items() if name == architecture}


def _with_sample(name: str, result: Mapping[str, Any]) -> str:
    """Return a baseline's name, with its sample where it was fitted to some of the series, and its failed fits."""
    sample = result.get("sample", {}).get(name, {})
    notes = [f"on {sample['series']} of {sample['of']} series"] if sample.get("series") != sample.get("of") else []
    notes += [f"{sample['failed']} failed fits are seasonal naive"] if sample.get("failed") else []
    return f"{name} ({'; '.join(notes)})" if notes else name


def _blocks(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return each row's error and coverage block by block, or nothing where there is one block."""
    found = {name: rows for answer in answers for name, rows in answer["result"].get("blocks", {}).items()}
    if not found:
        return ""
    count = max(map(len, found.values()))
    shown = {name: [f"{row['mase']:.3f}, {row['coverage_80']:.1%}" for row in rows] for name, rows in found.items()}
    cells = [f"| {name} | {' | '.join(row)} |" for name, row in shown.items()]
    heading = f"| mean MASE, in 80 % | {' | '.join(['newest', *map(str, range(2, count + 1))])} |"
    return "\n".join([heading, f"|---|{'---:|' * count}", *cells, ""])


def _ensembles(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return how each ensemble was weighed and what each auto is made of, or nothing where there is none."""
    lines = []
    for answer in answers:
        for mixture in answer["result"].get("mixtures", [])[:1]:
            weights = ", ".join(f"{name} {weight:.2f}" for name, weight in mixture["weights"].items())
            lines.append(f"{_label(answer)}, ensemble: {mixture['combination']}, {weights}.\n")
        for name, mixtures in answer["result"].get("chosen", {}).items():
            weights = ", ".join(f"{member} {weight:.2f}" for member, weight in mixtures[0]["weights"].items())
            lines.append(f"{name} is made of {weights}.\n")
    return "\n".join(lines)


def _same_series(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return the networks' errors on the series of each partial sample, or nothing where none is partial."""
    lines = []
    for answer in answers:
        result = answer["result"]
        for name, sample in result.get("sample", {}).items():
            if errors := sample.get("mase"):
                own = result["models"][name]["mase"]
                beside = ", ".join(f"{one} {error:.3f}" for one, error in errors.items())
                lines.append(f"On the {sample['series']} series of {name} (mean MASE {own:.3f}): {beside}.\n")
    return "\n".join(lines)


def _architectures(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return the architectures side by side: the median over seeds, and how far it is from the best."""
    medians = {}
    for answer in answers:
        architecture = answer["question"]["architecture"]
        if seeds := _seeds(answer["result"], architecture):
            medians[_label(answer)] = statistics.median(row["mase"] for row in seeds.values())
    best = min(medians.values())
    rows = [f"| {name} | {mase:.3f} | {mase / best - 1:+.1%} |" for name, mase in medians.items()]
    return "\n".join(["| architecture | median of mean MASE | from the best |", "|---|---:|---:|", *rows, ""])


def _surroundings(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return what was run, when, at which commit, and on what."""
    lines = ["## How it was measured\n", "| command | measured | s | commit |", "|---|---|---:|---|"]
    machines: dict[str, None] = {}
    for answer in answers:
        outcome = answer["result"]["provenance"]
        commit = outcome["commit"] or "not in a repository"
        lines.append(f"| `{outcome['command']}` | {answer['measured']} | {answer['seconds']:.0f} | {commit[:12]} |")
        versions = ", ".join(f"{name} {version}" for name, version in outcome["packages"].items())
        machines[f"{outcome['machine']}; Python {outcome['python']}; {versions}."] = None
    return "\n".join([*lines, "", *machines, ""])


def _table(columns: Mapping[str, tuple[str, str]], rows: Iterable[tuple[str, Mapping[str, float]]]) -> str:
    """Return rows as a Markdown table; columns that no row has are left out."""
    kept = list(rows)
    there = {name: one for name, one in columns.items() if any(one[0] in row for _, row in kept)}
    lines = [f"| | {' | '.join(there)} |", f"|---|{'---:|' * len(there)}"]
    for label, row in kept:
        cells = [format(row[key], form) if key in row else "" for key, form in there.values()]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])
