"""The command `almanac pretrain`: a thin edge over the making of starters."""

import os
import sys
from pathlib import Path

import click

from models.starters import LOCAL_FOLDER
from training.registry.location import RegistryLocation

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(short_help="Make the starters from nothing.")
@click.option("--steps", type=click.IntRange(1), default=8000, show_default=True, help="Steps of the monthly starter.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of weights and series.")
@click.option("--frequencies", help="Comma-separated, such as M,D. Default: all.")
@click.option("--units", type=click.IntRange(2), default=96, show_default=True, help="Width of each layer.")
@click.option("--layers", type=click.IntRange(1), default=2, show_default=True, help="Stacked recurrent layers.")
@click.option(
    "--output", type=FOLDER, help="Where they go. Default: ALMANAC_HOME/starters, which goes before the package's."
)
@click.option("--fresh", is_flag=True, help="Make them again, though they are there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON on standard output.")
def pretrain(  # noqa: PLR0913 - click's options
    *,
    steps: int,
    seed: int,
    frequencies: str | None,
    units: int,
    layers: int,
    output: Path | None,
    fresh: bool,
    as_json: bool,
) -> None:
    """Train the starters on synthetic series alone; no data set is read.

    Ctrl-C and the same command again goes on where it was; once all is there, --fresh makes it again. Figures are on synthetic series that no training saw;
    `almanac backtest --architecture starter` measures on yours.

    \b
    Example:
        almanac pretrain
        almanac pretrain --steps 300 --seed 1 --frequencies M --output /tmp/starters
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.cli.options import open_registry, print_json

    location = RegistryLocation.from_environment(os.environ)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from training.progress import Progress, native_noise_hidden

    with native_noise_hidden():
        from training.pretraining.pretrain import Wish, is_made
        from training.pretraining.pretrain import pretrain as make
    from training.registry.provenance import RunEnvironment

    kinds = check_kinds(frequencies)
    target = output or location.home / LOCAL_FOLDER
    wish = Wish(target.absolute(), location.home, kinds, steps, seed, units, layers)
    if is_made(wish) and not fresh and not wish.unfinished.exists():
        click.echo(
            f"The starters that this command makes are in {target} already, and nothing was done. --fresh makes them again; "
            "delete the folder to go back to the package's own.",
            err=True,
        )
        if as_json:
            print_json({kind: {"directory": str(target / kind)} for kind in kinds})
        return
    made = make(wish, open_registry(make=True), Progress(), RunEnvironment.gather(sys.argv[1:]))
    if as_json:
        print_json({one.kind: {"directory": str(one.directory), **one.figures} for one in made})
        return
    click.echo(f"{len(made)} starters in {target}. almanac ui shows how they were made.")


def check_kinds(text: str | None) -> tuple[str, ...]:
    """Return the kinds that are asked for, all where none is named.

    Raises:
        click.BadParameter: If there is no such kind.
    """
    from training.pretraining.starter_specs import KINDS

    names = tuple(KINDS) if text is None else tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in KINDS:
            raise click.BadParameter(
                f"There is no starter {name!r}. Choose from {', '.join(KINDS)}.", param_hint="--frequencies"
            )
    return names
