"""Forecast command: `almanac forecast`; with `--url` a service forecasts the file, in parts, and an interrupted command goes on."""

import copy
import inspect
from typing import Any

import click

from training.cli.forecast import forecast as local

SERVICE_OPTIONS = (
    click.Option(["--url"], help="A service that forecasts, such as http://127.0.0.1:8000. Default: this process."),
    click.Option(
        ["--key"], envvar="ALMANAC_API_KEY", help="An API key for --url, of scope `forecast` (or ALMANAC_API_KEY)."
    ),
    click.Option(
        ["--no-record"], is_flag=True, help="With --url: the service neither stores nor scores the forecasts."
    ),
    click.Option(
        ["--chunk"], type=click.IntRange(1), default=500, show_default=True, help="With --url: series a request."
    ),
)

EXAMPLE = """    almanac forecast --url http://127.0.0.1:8000 --data history.csv --horizon 12 --output next-year.csv"""


def _run(*, url: str | None, key: str | None, no_record: bool, chunk: int, **flags: Any) -> object:  # noqa: ANN401 - click's options
    """Forecast in this process, or by a service."""
    if url is None:
        return click.get_current_context().invoke(local, **flags)
    from almanac.commands.remote_forecast import forecast_by_service

    return forecast_by_service(url, key, record=not no_record, chunk=chunk, flags=flags)


def _command() -> click.Command:
    command = copy.copy(local)
    command.params = [*local.params, *SERVICE_OPTIONS]
    command.callback = _run
    command.help = f"{inspect.cleandoc(str(local.help))}\n{EXAMPLE}"
    return command


forecast = _command()
