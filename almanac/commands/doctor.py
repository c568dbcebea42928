"""Doctor command: `almanac doctor` says what is wrong with an installation, and what to do."""

import os
import sys
from collections import Counter
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from almanac.doctor import databases, files, registry
from almanac.doctor.check import Check, Part, run_part
from almanac.doctor.configuration import check_configuration, read_settings
from almanac.doctor.service import check_service
from almanac.doctor.versions import check_versions
from service.settings import Settings

COLOURS = {"ok": "green", "warning": "yellow", "error": "bold red"}
PLAIN_WIDTH = 160
"""Columns if there is no terminal that has a width."""


@click.command(short_help="Say what is wrong with this installation, and what to do.")
@click.option("--json", "as_json", is_flag=True, help="Print an object on standard output.")
def doctor(*, as_json: bool) -> None:
    """Check configuration, home, keys, disk, databases, registry, champions' artifacts, clock, workers, service and versions.

    Nothing is created or changed. The exit code is 1 if there is an error, 0 if there are warnings only.

    \b
    Example:
        almanac doctor
        almanac doctor --json
    """  # noqa: D301 - click's \b keeps the example's lines
    checks = examine(os.environ)
    counts = Counter(one.state for one in checks)
    if as_json:
        report = {"ok": not counts["error"], "checks": [asdict(one) for one in checks]}
        click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(checks)
        click.echo(f"{counts['error']} errors, {counts['warning']} warnings, {counts['ok']} ok.")
    if counts["error"]:
        sys.exit(1)


def examine(environment: MutableMapping[str, str]) -> list[Check]:
    """Return the checks of all parts; an invalid variable is taken out of `environment`, which is `os.environ`."""
    given = list(environment)
    settings, faults = read_settings(environment)
    debug = bool(environment.get("ALMANAC_DEBUG"))
    parts = {"configuration": lambda: check_configuration(given, environment, faults), **_parts(settings, environment)}
    return [check for name, part in parts.items() for check in run_part(name, part, debug=debug)]


def _parts(settings: Settings, environment: Mapping[str, str]) -> dict[str, Part]:
    """Return the parts after the configuration, in the order of the report."""
    return {
        "home": lambda: files.check_home_folder(settings),
        "keys": lambda: files.check_keys(settings),
        "audit log": lambda: files.check_audit(settings),
        "disk": lambda: files.check_disk(settings),
        "database": lambda: databases.check_database(settings),
        "jobs": lambda: databases.check_jobs(settings, environment),
        "registry": lambda: registry.check_registry(settings, environment),
        "service": lambda: check_service(environment),
        "versions": check_versions,
    }


def _print(checks: list[Check]) -> None:
    """Print a table with a line for each check."""
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)
    table = Table("", "part", box=None, pad_edge=False)
    for heading in ("what was found", "what to do"):
        table.add_column(heading, overflow="fold")  # a path that is cut is of no use
    for one in checks:
        table.add_row(Text(one.state, COLOURS[one.state]), one.name, Text(one.detail), Text(one.remedy))
    console.print(table)
