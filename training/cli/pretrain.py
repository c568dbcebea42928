"""Pretrain command: `almanac pretrain`, which trains the starters."""

import os
import sys
from pathlib import Path

import click

from models.starters import LOCAL_FOLDER
from training.registry.location import RegistryLocation

EXIST = (
    "{} already has the starters of these settings. --fresh trains them again; "
    "delete the folder to use the package's starters."
)

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(short_help="Train the starters from new weights.")
@click.option("--steps", type=click.IntRange(1), default=8000, show_default=True, help="Steps of the monthly starter.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of weights and series.")
@click.option("--frequencies", help="Comma-separated, such as M,D. Default: all.")
@click.option("--units", type=click.IntRange(2), default=96, show_default=True, help="Width of each layer.")
@click.option("--layers", type=click.IntRange(1), default=2, show_default=True, help="Stacked recurrent layers.")
@click.option(
    "--output",
    type=FOLDER,
    help="Folder of the starters. Default: ALMANAC_HOME/starters, which takes precedence over the package's.",
)
@click.option(
    "--first",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of a monthly starter that the others begin with, such as models/starters/M; with --frequencies M it is "
    "trained further, on growth. Default: it is trained first.",
)
@click.option("--fresh", is_flag=True, help="Train them again even if they exist.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
def pretrain(  # noqa: PLR0913 - click's options
    *,
    steps: int,
    seed: int,
    frequencies: str | None,
    units: int,
    layers: int,
    output: Path | None,
    first: Path | None,
    fresh: bool,
    as_json: bool,
) -> None:
    """Train the starters on synthetic series alone; no data set is read.

    After Ctrl-C the same command resumes from the last checkpoint. Figures are measured on held-out synthetic series;
    `almanac backtest --architecture starter` measures on yours.

    \b
    Example:
        almanac pretrain
        almanac pretrain --frequencies h,D --first models/starters/M
        almanac pretrain --steps 300 --seed 1 --frequencies M --output /tmp/starters
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.cli.options import open_registry, print_json

    location = RegistryLocation.from_environment(os.environ)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from training.progress import Progress, native_noise_hidden

    with native_noise_hidden():
        from training.pretraining.pretrain import is_made
        from training.pretraining.pretrain import pretrain as train_starters
        from training.pretraining.starter_training import PretrainRequest
    from training.registry.provenance import RunEnvironment

    kinds = check_kinds(frequencies)
    if first is not None and frequencies is None:
        kinds = kinds[1:]
    target = output or location.home / LOCAL_FOLDER
    request = PretrainRequest(target.absolute(), location.home, kinds, steps, seed, units, layers, first=first)
    if is_made(request) and not fresh and not request.unfinished.exists():
        click.echo(EXIST.format(target), err=True)
        if as_json:
            print_json({kind: {"directory": str(target / kind)} for kind in kinds})
        return
    made = train_starters(request, open_registry(make=True), Progress(), RunEnvironment.gather(sys.argv[1:]))
    if as_json:
        print_json({one.kind: {"directory": str(one.directory), **one.figures} for one in made})
        return
    click.echo(f"{len(made)} starters in {target}. almanac ui shows their training.")


def check_kinds(text: str | None) -> tuple[str, ...]:
    """Return the requested starters, or all if none is named.

    Raises:
        click.BadParameter: If there is no such starter.
    """
    from training.pretraining.starter_specs import STARTER_SPECS

    names = tuple(STARTER_SPECS) if text is None else tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in STARTER_SPECS:
            raise click.BadParameter(
                f"There is no starter {name!r}. Choose from {', '.join(STARTER_SPECS)}.", param_hint="--frequencies"
            )
    return names
