"""The command reproduce."""

import tempfile
from pathlib import Path

import click

from training.cli.options import FILE, make_runtime, open_registry, print_json
from training.config.training import require_file


@click.command(short_help="Train a run again and compare.")
@click.argument("run_id")
@click.option("--data", type=FILE, help="Where the data file is now. Default: where it was.")
@click.option("--json", "as_json", is_flag=True, help="Print what was compared as JSON on standard output.")
def reproduce(run_id: str, data: Path | None, *, as_json: bool) -> int:
    """Train again what the MLflow run RUN_ID trained, from its own record, and compare the figures.

    RUN_ID is the run of a network or of a whole comparison; almanac models --json and almanac ui show it. Nothing is
    registered. The exit code is 1 if figures differ.

    \b
    Example:
        almanac reproduce 5f1c0d3a9be84e8c9d2f6a7b8c9d0e1f
    """  # noqa: D301 - click's \b keeps the example's lines
    if data is not None:
        require_file(data)
    registry = open_registry()
    from training.cli.tables import describe_reproduction
    from training.pipeline import reproduce
    from training.progress import plain_console

    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        found = reproduce.reproduce(run_id, registry, make_runtime(Path(scratch)), data=data)
    if as_json:
        print_json(found.to_dict())
    else:
        for line in describe_reproduction(found):
            plain_console(stderr=False).print(line, soft_wrap=True)
    return 0 if found.same_figures else 1
