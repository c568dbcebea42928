"""Tuned starters: `starter_tuned` and `auto` beside the starter on benchmark sets, into docs/ensembles.md.

make bench-tuned
"""

import json
import math
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np

from models import starters
from models.calendar.zoned_grid import parse_frequency
from models.errors import AlmanacError
from models.json_values import to_json_value
from tests.benchmarks.accuracy import ROOT, write
from tests.benchmarks.starter_page import put_between
from training.config.fit import FitConfig
from training.evaluation.benchmark_sets import BenchmarkSet, SetSplit, hold_out_end, read_index
from training.evaluation.quantile_scores import score_quantiles
from training.evaluation.zero_shot import forecast_naive, forecast_starter, read_outcomes

BEGIN = "<!-- figures: written by make bench-tuned -->"
PAGE = ROOT / "docs" / "ensembles.md"
FOLDER = click.Path(path_type=Path)
STARTER = "starter"
MEASURES = ("mase", "wql")
WORST = 1.02
"""Error relative to the starter's that no set may exceed."""


@click.command()
@click.option("--data", "folder", type=FOLDER, default=Path("../shared/data/development"), show_default=True)
@click.option("--results", type=FOLDER, default=ROOT / "build" / "tuned.json", show_default=True, help="Kept results.")
@click.option("--page", type=FOLDER, default=PAGE, show_default=True)
@click.option("--only", default="", help="Names of sets, separated by commas; all without it.")
@click.option("--candidates", default="starter_tuned,auto", show_default=True)
@click.option("--max-series", default=100, show_default=True, help="Series of each set, evenly spaced.")
@click.option("--seconds", default=60.0, show_default=True, help="fit.max_seconds.")
@click.option("--processor", is_flag=True, help="Count --seconds of the processor: a busy machine then learns as much.")
@click.option("--max-steps", default=300, show_default=True, help="fit.max_steps.")
@click.option("--batch-size", default=256, show_default=True, help="fit.batch_size.")
def tuned(  # noqa: PLR0913, PLR0917 - click's way
    folder: Path,
    results: Path,
    page: Path,
    only: str,
    candidates: str,
    max_series: int,
    *,
    processor: bool,
    **fit: float,
) -> None:
    """Train and score what has no result yet, and write the page."""
    sets = read_index(folder, [name for name in only.split(",") if name])
    asked = {"max_series": max_series, **fit} | ({"processor": True} if processor else {})
    done: dict[str, Any] = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    for one in sorted(sets, key=lambda other: other.path.stat().st_size):
        for candidate in (STARTER, *candidates.split(",")):
            key = f"{one.name}/{candidate}/{json.dumps(asked, sort_keys=True)}"
            if key not in done:
                done[key] = {"set": one.name, "frequency": one.frequency, "candidate": candidate, "asked": asked}
                done[key] |= measure(one, candidate, asked)
                results.parent.mkdir(parents=True, exist_ok=True)
                results.write_text(json.dumps(to_json_value(done), indent=1), encoding="utf-8")
                click.echo(
                    f"{one.name:28s} {candidate:14s} {json.dumps(done[key]['scores'])} {done[key]['chosen']}", err=True
                )
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    write(page, put_between(page.read_text(encoding="utf-8"), BEGIN, render(done, day)))


def measure(one: BenchmarkSet, candidate: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return errors of a candidate on a set, its processor seconds, and what it chose."""
    held = hold_out_end(one, asked["max_series"])
    began, chosen = time.process_time(), ""
    try:
        if candidate == STARTER:
            forecaster = starters.load_starter(parse_frequency(one.frequency))
        else:
            forecaster, chosen = train(one, held, candidate, asked)
    except AlmanacError as error:
        return {
            "scores": None,
            "seconds": time.process_time() - began,
            "chosen": str(error),
            "series": len(held.histories),
        }
    naive = forecast_naive(held, one.season)
    table = read_outcomes(forecast_starter(forecaster, held), held, naive)
    scores = score_quantiles(held.targets, table, held.scales).to_dict()
    return {"scores": scores, "seconds": time.process_time() - began, "chosen": chosen, "series": len(held.histories)}


def train(one: BenchmarkSet, held: SetSplit, candidate: str, asked: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the forecaster of a candidate fitted on the histories, and its choice in a few words."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from training.fit.candidate import TrainingSet
    from training.fit.factory import make_candidate
    from training.fit.request import FitRequest

    config = FitConfig(
        max_seconds=asked["seconds"], max_steps=int(asked["max_steps"]), batch_size=int(asked["batch_size"])
    )
    name = parse_frequency(one.frequency).name
    training_set = TrainingSet(list(held.histories), name, held.reach, one.name)
    clock = time.process_time if "processor" in asked else time.perf_counter
    with tempfile.TemporaryDirectory() as scratch, patch.object(time, "perf_counter", clock):
        made = make_candidate(
            FitRequest(
                training_set=training_set, architecture=candidate, name=one.name, seed=0, config=config,
                directory=Path(scratch) / "made",
            )
        )  # fmt: skip
    options = made.forecaster.spec.options
    share = f"{options.tuned_share:g} of {options.steps} steps" if options.tuned_share else "as it was"
    if not made.ensemble_weights:
        return made.forecaster, share
    return made.forecaster, ", ".join(f"{name} {weight:.2g}" for name, weight in made.ensemble_weights.weights.items())


def render(done: Mapping[str, Any], day: str) -> str:
    """Return the figures as Markdown: of each candidate the geometric mean over the measured sets, and each set."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for found in done.values():
        key = (found["set"], json.dumps(found["asked"], sort_keys=True))
        rows.setdefault(key, {})[found["candidate"]] = found
    candidates = sorted({name for row in rows.values() for name in row} - {STARTER}, reverse=True)
    parts = [f"Measured {day}; errors relative to the starter's on the same series."]
    for candidate in candidates:
        parts += render_candidate(candidate, [row for row in rows.values() if candidate in row])
    return "\n\n".join(parts) + "\n"


def render_candidate(candidate: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the means of a candidate, and its table; each row has the findings on one set by candidate."""
    lines = ["| set | frequency | series | seconds | steps | starter MASE | MASE | WQL | chose |"]
    lines.append("|---|---" + "|---:" * 6 + "|---|")
    for row in rows:
        starter, asked = row[STARTER], row[candidate]["asked"]
        seconds = f"{asked['seconds']:g}" + " of the processor" * ("processor" in asked)
        cells = [starter["set"], starter["frequency"], str(starter["series"]), seconds, f"{asked['max_steps']:g}"]
        cells += [f"{starter['scores']['mase']:.3f}", *(_figure(relative(row, candidate, one)) for one in MEASURES)]
        lines.append(f"| {' | '.join(cells)} | {row[candidate]['chosen']} |")
    known = {one: [found for row in rows if (found := relative(row, candidate, one)) is not None] for one in MEASURES}
    mase, wql = (math.exp(float(np.mean(np.log(known[one])))) for one in MEASURES)
    worst, worse = max(known["mase"]), sum(one > WORST for one in known["mase"])
    mean = (
        f"`{candidate}`: geometric mean {mase:.3f} of the starter's MASE and {wql:.3f} of its WQL over {len(known['mase'])} "
        f"sets, worst MASE {worst:.3f}, {worse} above {WORST}."
    )
    return mean, "\n".join(lines)


def relative(row: Mapping[str, Any], candidate: str, measure: str) -> float | None:
    """Return an error over the starter's, None if either is unknown."""
    own, starter = ((row.get(name) or {}).get("scores") for name in (candidate, STARTER))
    return own[measure] / starter[measure] if own and starter and own[measure] and starter[measure] else None


def _figure(number: float | None) -> str:
    return "" if number is None else f"{number:.3f}"


if __name__ == "__main__":
    tuned()
