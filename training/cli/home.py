"""Home command: `almanac home` shows where ALMANAC_HOME is, and repairs a home that was moved or copied."""

import os

import click


@click.group(short_help="Repair a home that was moved or copied.")
def home() -> None:
    """Work on ALMANAC_HOME, the folder of databases and artifacts.

    \b
    Example:
        cp -a almanac-data copy
        ALMANAC_HOME=copy almanac home relocate
    """  # noqa: D301 - click's \b keeps the example's lines


@home.command(short_help="Use the artifacts in this home.")
def relocate() -> None:
    """Make MLflow's addresses those of ALMANAC_HOME, after the folder was moved or copied. The old folder is not changed.

    \b
    Example:
        ALMANAC_HOME=copy almanac home relocate
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.registry.home import relocate as rewrite
    from training.registry.location import RegistryLocation

    location = RegistryLocation.from_environment(os.environ)
    folders = rewrite(location)
    if not folders:
        click.echo(f"{location.home} already uses its own artifacts; nothing has changed.")
    for folder in folders:
        click.echo(f"{location.home} used the artifacts in {folder}, and now uses its own.")
