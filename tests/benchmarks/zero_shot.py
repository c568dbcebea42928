"""The starter's zero-shot figures: `almanac evaluate-starter` on a folder of benchmark sets, into docs/starter.md.

make bench-zero-shot
"""

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tests.benchmarks.accuracy import ROOT, run, write
from tests.benchmarks.starter_page import put_between
from training.evaluation.cached_ets import LONGEST_SEASON, NEWEST

BEGIN = "<!-- figures: written by make bench-zero-shot -->"

LEVELS = (50, 80, 95)

MEANS = {
    "starter MASE": ("starter", "mase"),
    "AutoETS MASE": ("auto_ets", "mase"),
    "starter WQL": ("starter", "wql"),
    "AutoETS WQL": ("auto_ets", "wql"),
    "starter SQL": ("starter", "sql"),
}
"""Columns of the means: the model, and which of its errors relative to the seasonal naive."""

ORIGINS = ("--origins", "8", "--max-series", "60", "--no-baselines")
"""Of the second table: many sets have a few series alike, of which one test each says little."""

FOLDER = click.Path(path_type=Path)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--data", "folder", type=FOLDER, default=Path("../shared/data/development"), show_default=True)
@click.option("--cache", type=FOLDER, default=ROOT / "build" / "zero-shot", help="Keeps AutoETS' forecasts.")
@click.option("--page", type=FOLDER, default=ROOT / "docs" / "starter.md", show_default=True)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def zero_shot(folder: Path, cache: Path, page: Path, arguments: Sequence[str]) -> None:
    """Evaluate the starter, and write the figures into the page; ARGUMENTS are those of `almanac evaluate-starter`."""
    before = page.read_text(encoding="utf-8")
    result = run(["evaluate-starter", str(folder.resolve()), "--cache", str(cache.resolve()), "--json", *arguments])
    if result is None:
        raise click.ClickException("The evaluation failed, as said above; the page is as it was.")
    more = run(["evaluate-starter", str(folder.resolve()), "--json", *arguments, *ORIGINS])
    if more is None:
        raise click.ClickException("The evaluation of several origins failed, as said above; the page is as it was.")
    commands = [shlex.join(["almanac", "evaluate-starter", folder.name, *arguments, *extra]) for extra in ((), ORIGINS)]
    text = render(result, commands[0], datetime.now(UTC).strftime("%Y-%m-%d"))
    write(page, put_between(before, BEGIN, text + render_origins(more, commands[1])))
    click.echo(f"{page} is written.", err=True)


def render(result: Mapping[str, Any], command: str, day: str) -> str:
    """Return the figures as Markdown: how they came about, the means, and every set.

    Args:
        result: What `almanac evaluate-starter --json` printed.
        command: As a user writes it.
        day: When it ran, such as 2026-11-29.
    """
    outcome = result["provenance"]
    made = f"`{command}` on {day}, commit {(outcome['commit'] or 'unknown')[:12]}, starters {result['starters']}, {outcome['machine']}"
    return "\n\n".join([f"{made}.{_aside(result)}", _means_table(result["means"]), _sets_table(result["sets"])]) + "\n"


def render_origins(result: Mapping[str, Any], command: str) -> str:
    """Return the means over several origins of each series as Markdown."""
    tests = sum(one["series"] for one in result["sets"].values())
    return f"\n`{command}`: {tests:,} tests, several of each series.\n\n{_means_table(result['means'])}\n"


def _aside(result: Mapping[str, Any]) -> str:
    """Return what does not count like the rest, a line for each sentence."""
    sets = result["sets"].values()
    seconds = sum(one["seconds"] for one in sets)
    counts = {name: sum(one[name] for one in sets) for name in ("series", "skipped", "unscaled", "stand_ins")}
    refused = sum(len(one["refused"]) for one in sets)
    parts = [
        f"The starter's forecasts of {counts['series']:,} series took {seconds:.0f} s",
        f"{counts['skipped']} series without a value before the test are left out",
        f"{counts['unscaled']} without a scale do not count for MASE and SQL",
    ]
    if any("auto_ets" in one["models"] for one in sets):
        parts.append(
            f"AutoETS sees the newest {NEWEST} steps and no season longer than {LONGEST_SEASON}; for {counts['stand_ins']:,} "
            "series of longer seasons or with a failed fit the seasonal naive stands in for it"
        )
    if refused:
        parts.append(f"The seasonal naive stands in for {refused} series that the starter refuses")
    return "".join(f"\n{part}." for part in parts)


def _means_table(means: Mapping[str, Any]) -> str:
    shown = {name: key for name, key in MEANS.items() if key[0] in means["all"]["relative"]}
    rows = [
        [
            name,
            str(row["sets"]),
            *(_figure(row["relative"][model][measure]) for model, measure in shown.values()),
            *(_share(row[f"coverage_{level}"]) for level in LEVELS),
        ]
        for name, row in means.items()
    ]
    return table(["frequency", "sets", *shown, *(f"in {level} %" for level in LEVELS)], rows, texts=1)


def _sets_table(sets: Mapping[str, Any]) -> str:
    models = ["starter", *(["auto_ets"] if any("auto_ets" in one["models"] for one in sets.values()) else [])]
    rows = [
        [
            name,
            one["frequency"],
            one["starter"],
            f"{one['series']}",
            f"{one['horizon']}",
            *(cell for measure in ("mase", "wql") for cell in _errors(one, measure, models)),
            *(_share(one["models"]["starter"][f"coverage_{level}"]) for level in LEVELS),
            f"{one['seconds']:.2f}",
        ]
        for name, one in sets.items()
    ]
    errors = [heading for name in ("MASE", "WQL") for heading in (name, "relative", "AutoETS")[: 1 + len(models)]]
    headings = ["set", "frequency", "starter", "series", "steps", *errors, *(f"in {level} %" for level in LEVELS), "s"]
    return table(headings, rows, texts=3)


def _errors(one: Mapping[str, Any], measure: str, models: Sequence[str]) -> list[str]:
    """Return the starter's error, and the error of each model relative to the seasonal naive."""
    relative = [one["relative"][model][measure] for model in models]
    return [_figure(number) for number in (one["models"]["starter"][measure], *relative)]


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> str:
    """Return a Markdown table whose first columns, `texts` of them, are text."""
    rule = "|" + "---|" * texts + "---:|" * (len(headings) - texts)
    return "\n".join([f"| {' | '.join(headings)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)])


def _figure(number: float | None) -> str:
    return "" if number is None else f"{number:.3f}"


def _share(number: float | None) -> str:
    return "" if number is None else f"{number:.0%}"


if __name__ == "__main__":
    zero_shot()
