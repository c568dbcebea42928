"""What each kind of synthetic series gains: a starter trained with all kinds, and without each of them in turn, on benchmark sets.

make bench-generator
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

import click

from models import starters
from models.calendar.zoned_grid import parse_frequency
from tests.benchmarks.accuracy import ROOT, write
from tests.benchmarks.starter_page import put_between
from training.data import synthetic
from training.evaluation.benchmark_sets import BenchmarkSet, read_index
from training.evaluation.zero_shot import ALL, STARTER, evaluate_set, summarize
from training.pretraining.pretrain import pretrain
from training.pretraining.starter_specs import FIRST, STARTER_SPECS
from training.pretraining.starter_training import PretrainRequest
from training.progress import Progress
from training.registry.client import Registry
from training.registry.location import RegistryLocation
from training.registry.provenance import RunEnvironment

BEGIN = "<!-- figures: written by make bench-generator -->"

ORIGINS, SERIES = 8, 60

FOLDER = click.Path(path_type=Path)


@click.command()
@click.option("--data", "folder", type=FOLDER, default=Path("../shared/data/development"), show_default=True)
@click.option("--page", type=FOLDER, default=ROOT / "docs" / "starter.md", show_default=True)
@click.option("--starter", "kind", default="h", show_default=True, help="Starter that is trained.")
@click.option(
    "--steps", type=click.IntRange(1), default=400, show_default=True, help="Optimizer steps of each training."
)
def generator_parts(folder: Path, page: Path, kind: str, steps: int) -> None:
    """Train one starter for each kind that is left out, from the shipped monthly one, and write the errors into the page."""
    before = page.read_text(encoding="utf-8")
    spec = STARTER_SPECS[kind]
    seasons = parse_frequency(kind).seasons
    sets = [one for one in read_index(folder) if parse_frequency(one.frequency).seasons == seasons]
    shares = synthetic.MIXTURES[spec.mixture]
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        registry = Registry(RegistryLocation.from_environment({"ALMANAC_HOME": name}))
        for left_out in (None, *shares):
            kept = {one: share for one, share in shares.items() if one != left_out}
            rows[left_out] = measure(kind, kept, steps, sets, registry)
            click.echo(f"{left_out or 'nothing'} left out: {rows[left_out]}", err=True)
    text = render(kind, steps, len(sets), shares, rows)
    write(page, put_between(before, BEGIN, text))


def measure(
    kind: str, shares: Mapping[str, float], steps: int, sets: Sequence[BenchmarkSet], registry: Registry
) -> tuple[float, float]:
    """Return the geometric means of MASE and WQL relative to the seasonal naive, of a starter trained on these kinds."""
    spec, home = STARTER_SPECS[kind], registry.location.home
    request = PretrainRequest(home / "made", home, (kind,), round(steps / spec.share), first=starters.FOLDER / FIRST)
    with mock.patch.dict(synthetic.MIXTURES, {spec.mixture: shares}):
        pretrain(request, registry, Progress(), RunEnvironment.gather([]))
        with starters.used(request.output):
            found = [evaluate_set(one, SERIES, origins=ORIGINS) for one in sets]
    own = summarize(found)[ALL]["relative"][STARTER]
    return own["mase"], own["wql"]


def render(
    kind: str, steps: int, sets: int, shares: Mapping[str, float], rows: Mapping[str | None, tuple[float, float]]
) -> str:
    """Return the figures as Markdown: errors with all kinds, and how much larger they are without each."""
    mase, wql = rows[None]
    outset = (
        f"Starter `{kind}` trained for {steps} steps from the monthly one, on {sets} sets, up to {ORIGINS} origins of up to "
        f"{SERIES} series. With all kinds: MASE {mase:.3f} and WQL {wql:.3f} relative to the seasonal naive. Without one:"
    )
    lines = [outset, "", "| left out | share | MASE | WQL |", "|---|---:|---:|---:|"]
    lines += [
        f"| {name} | {share:.0%} | {rows[name][0] / mase - 1:+.1%} | {rows[name][1] / wql - 1:+.1%} |"
        for name, share in shares.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    generator_parts()
