"""Evaluate-starter command: `almanac evaluate-starter` measures the starter on a folder of benchmark sets."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training.evaluation.benchmark_sets import BenchmarkSet
    from training.evaluation.cached_ets import Fitting
    from training.evaluation.zero_shot import SetScores
    from training.progress import Progress

FOLDER = click.Path(file_okay=False, path_type=Path)

CACHE = "zero-shot"
"""Folder in ALMANAC_HOME with AutoETS' forecasts."""

REFUSED_NAMED = 3
"""Series of a set that are named where the starter refuses them."""


@click.command(short_help="Measure the starter on benchmark sets.")
@click.argument("folder", type=FOLDER)
@click.option("--only", metavar="NAMES", help="Comma-separated names of sets. Default: all of INDEX.csv.")
@click.option(
    "--starters",
    "starters_folder",
    type=FOLDER,
    help="Folder of starters, such as one of `almanac pretrain --output`; the package's serve the frequencies that it lacks. "
    "Default: ALMANAC_HOME/starters.",
)
@click.option(
    "--baselines/--no-baselines",
    default=True,
    show_default=True,
    help="Fit AutoETS too. The seasonal naive is always computed, since errors are relative to it.",
)
@click.option("--cache", type=FOLDER, help="Folder that keeps AutoETS' forecasts. Default: ALMANAC_HOME/zero-shot.")
@click.option("--max-series", type=click.IntRange(1), metavar="N", help="At most N series of a set, evenly spaced.")
@click.option(
    "--origins",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Tests of each series, one horizon apart, the newest at its end: a set of few series says more with several.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
def evaluate_starter(  # noqa: PLR0913 - click's options
    *,
    folder: Path,
    only: str | None,
    starters_folder: Path | None,
    baselines: bool,
    cache: Path | None,
    max_series: int | None,
    origins: int,
    as_json: bool,
) -> None:
    """Forecast every set of FOLDER with the starter, without training, and print its errors beside those of baselines.

    FOLDER has an INDEX.csv with the columns file, frequency, horizon and season, and a FILE.parquet with the columns
    unique_id, ds and y for each row. The last `horizon` rows of each series are the test. A set that cannot be evaluated
    is reported; the exit code is then 1.

    \b
    Example:
        almanac evaluate-starter sets
        almanac evaluate-starter sets --only tourism_yearly,fred_md --no-baselines --json
    """  # noqa: D301 - click's \b keeps the example's lines
    from models import starters
    from models.jobs.database import almanac_home
    from training.cli.options import print_json
    from training.cli.tables import zero_shot_means_table, zero_shot_table
    from training.evaluation.benchmark_sets import read_index
    from training.evaluation.cached_ets import Fitting
    from training.evaluation.classical import worker_processes
    from training.progress import Progress, plain_console

    sets = read_index(folder, tuple(part.strip() for part in only.split(",") if part.strip()) if only else ())
    progress, kept = Progress(), cache or almanac_home(os.environ) / CACHE
    chosen = starters.used(starters_folder) if starters_folder else nullcontext()
    with chosen, worker_processes(os.cpu_count() or 1) as pool:
        result = evaluate_all(sets, progress, max_series, Fitting(kept, pool, progress) if baselines else None, origins)
        result |= {"starters": starters.version()}
    if as_json:
        print_json({"provenance": provenance(), **result})
    elif result["sets"]:
        plain_console(stderr=False).print(zero_shot_table(result["sets"]), zero_shot_means_table(result["means"]))
    if result["failures"]:
        click.get_current_context().exit(1)


def evaluate_all(
    sets: "Sequence[BenchmarkSet]",
    progress: "Progress",
    max_series: int | None = None,
    fitting: "Fitting | None" = None,
    origins: int = 1,
) -> dict[str, Any]:
    """Return the figures of the sets and their means as plain data, and by name why sets could not be evaluated."""
    from models.errors import AlmanacError
    from training.evaluation.zero_shot import evaluate_set, summarize

    found, failures = [], {}
    for number, one in enumerate(sets, start=1):
        place = f"[{number}/{len(sets)}] {one.name}"
        try:
            scores = evaluate_set(one, max_series, fitting, origins)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one set, the others are evaluated
            failures[one.name] = str(error) if isinstance(error, AlmanacError) else f"{type(error).__name__}: {error}"
            progress.report(f"{place} failed: {failures[one.name]}", "red")
        else:
            found.append(scores)
            progress.report(f"{place}: {describe(scores)}")
            for line in describe_refused(scores.refused):
                progress.report(f"  {line}", "yellow")
    return {
        "sets": {scores.one.name: scores.to_dict() for scores in found},
        "means": summarize(found),
        "failures": failures,
    }


def describe(scores: "SetScores") -> str:
    """Return the starter's figures on one set in a line."""
    from training.evaluation.zero_shot import STARTER

    own = scores.models[STARTER]
    relative = f"relative MASE {scores.relative(STARTER, 'mase'):.3f}, WQL {scores.relative(STARTER, 'wql'):.3f}"
    skipped = f" ({scores.skipped} more have no history)" if scores.skipped else ""
    return (
        f"{scores.series} series{skipped} in {scores.seconds:.1f} s, {relative}, {own.coverage[80.0]:.1%} within 80 %"
    )


def describe_refused(refused: "Mapping[str, str]") -> list[str]:
    """Return a line for each of the first series that the starter refuses, and one that counts the others."""
    lines = [
        f"{name} has the seasonal naive in place of the starter's forecast: {reason}"
        for name, reason in refused.items()
    ]
    more = len(lines) - REFUSED_NAMED
    return [*lines[:REFUSED_NAMED], *([f"So have {more} more series."] if more > 0 else [])]


def provenance() -> dict[str, Any]:
    """Return the command, the commit, the machine and the versions of packages as plain data."""
    from dataclasses import asdict

    from training.registry.provenance import RunEnvironment

    return asdict(RunEnvironment.gather(sys.argv[1:]))
