"""Audit command: `almanac audit` shows who changed aliases, schedules and keys, and who erased series."""

import os
import sys

import click
import orjson

from models.audit import log
from models.jobs.database import almanac_home

SHOWN = ("time", "actor", "action")
HIDDEN = (*SHOWN, "previous")


@click.command(short_help="Show who changed aliases, schedules and keys.")
@click.option("--json", "as_json", is_flag=True, help="Print an object on standard output.")
def audit(*, as_json: bool) -> None:
    """Show the audit log of ALMANAC_HOME: who changed an alias, a schedule or a key, and who erased what.

    Each line has the hash of the line before it, and the hash of the newest is kept beside. What was changed, removed or cut off
    is marked, and the exit code is 1.

    \b
    Example:
        almanac audit --json
    """  # noqa: D301 - click's \b keeps the example's lines
    home = almanac_home(os.environ)
    lines, is_whole, end = list(log.read(home)), log.is_whole(home), log.read_end(home)
    if as_json:
        rows = [{**one.data, "number": one.number, "intact": one.is_intact} for one in lines]
        shown = {"end": end, "end_intact": is_whole}
        click.echo(orjson.dumps({"lines": rows, **shown}, option=orjson.OPT_INDENT_2).decode())
    for one in () if as_json else lines:
        what = " ".join(f"{name}={value}" for name, value in one.data.items() if name not in HIDDEN)
        mark = "" if one.is_intact else "  THE LINE BEFORE WAS CHANGED OR REMOVED"
        click.echo(f"{' '.join(str(one.data.get(name, '?')) for name in SHOWN)} {what}{mark}")
    if not is_whole and not as_json:
        click.echo(f"THE END WAS CUT OFF OR CHANGED: the log had {end.lines if end else '?'} lines.")
    if not (is_whole and all(one.is_intact for one in lines)):
        sys.exit(1)
