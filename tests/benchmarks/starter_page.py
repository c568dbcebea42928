"""The starter's table: what docs/accuracy.json holds of it, set beside set, put into docs/starter.md."""

import statistics
from collections.abc import Mapping
from typing import Any

BEGIN, END = "<!-- figures: written by make bench-accuracy -->", "<!-- end of figures -->"
"""Lines of the page between which the table stands."""

ROWS = {"starter": "starter, zero-shot", "starter_tuned": "starter_tuned", "auto": "auto"}
"""Architectures in the order of the table, and what they are called there."""

BASELINES = ("seasonal_naive", "climatology", "auto_ets", "auto_theta")

ZERO_SHOT = ", zero-shot"
"""What the record puts behind the name of a published foundation model."""


def put(page: str, record: Mapping[str, Any]) -> str:
    """Return the page with the table of a record in its place; raises ValueError where the page has no place for it."""
    return put_between(page, BEGIN, table(record))


def put_between(page: str, begin: str, text: str) -> str:
    """Return the page with a text between a line `begin` and the next `END`; raises ValueError without these lines."""
    before, found, rest = page.partition(begin)
    _, end, after = rest.partition(END)
    if not found or not end:
        raise ValueError(f"The page has no lines {begin} and {END}.")
    return f"{before}{begin}\n\n{text}\n{END}{after}"


def table(record: Mapping[str, Any]) -> str:
    """Return one column a set that the starter was measured on: ours, the best network and baseline, the best published."""
    sets = {one["question"]["file"]: one for key, one in record["answers"].items() if key.endswith("/starter")}
    columns = {answer["question"]["title"]: _column(file, record) for file, answer in sets.items()}
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    lines = [f"| mean MASE | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for name in names:
        cells = [column.get(name, "") for column in columns.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _column(file: str, record: Mapping[str, Any]) -> dict[str, str]:
    """Return a set's cells by row."""
    there = [one for one in record["answers"].values() if one["question"]["file"] == file]
    answers = {one["question"]["architecture"]: one for one in there if _is_plain(one["question"])}
    found = {label: _figure(answers[name], name) for name, label in ROWS.items() if name in answers}
    networks = {name: _median(one, name) for name, one in answers.items() if name not in ROWS}
    if networks:
        best = min(networks, key=lambda name: networks[name])
        found["best network trained on the set alone"] = f"{networks[best]:.3f} ({best})"
    models = {name: row for one in answers.values() for name, row in one["result"]["models"].items()}
    whole = max(row["series_scored"] for row in models.values())
    baselines = {
        name: models[name]["mase"]
        for name in BASELINES
        if name in models and models[name]["series_scored"] == whole  # AutoETS may have seen a sample only
    }
    best = min(baselines, key=lambda name: baselines[name])
    found["best baseline here"] = f"{baselines[best]:.3f} ({best})"
    published = record["published"].get(next(iter(answers.values()))["question"]["published"], {})
    for label, wanted in (("best published zero-shot", True), ("best published of all others", False)):
        errors = {name: row["mean_MASE"] for name, row in published.items() if name.endswith(ZERO_SHOT) == wanted}
        if errors:
            name = min(errors, key=lambda one: errors[one])
            found[label] = f"{errors[name]:.3f} ({name.removesuffix(ZERO_SHOT)})"
    return found


def _is_plain(question: Mapping[str, Any]) -> bool:
    """Return whether a question is of the newest block with the default settings, as the starter's own is."""
    return not question["cutoff"] and not question.get("settings") and question.get("origins", 1) == 1


def _figure(answer: Mapping[str, Any], architecture: str) -> str:
    """Return the median over seeds, and how many there were where there were several."""
    count = sum(name.startswith(f"{architecture}/") for name in answer["result"]["models"])
    seeds = f", median of {count} seeds" if count > 1 else ""
    return f"{_median(answer, architecture):.3f}{seeds}"


def _median(answer: Mapping[str, Any], architecture: str) -> float:
    models = answer["result"]["models"]
    seeds = [row["mase"] for name, row in models.items() if name.startswith(f"{architecture}/")]
    middle: float = statistics.median(seeds or [models[architecture]["mase"]])
    return middle
