"""Accuracy command: `almanac accuracy` shows the live accuracy of served forecasts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.service_client.client import SERVICE_URL, Address, Row
from training.service_client.live_accuracy import LiveAccuracy, read_accuracy

if TYPE_CHECKING:
    from collections.abc import Iterable

PICTURES = (".png", ".svg", ".pdf")
FORECASTS_DRAWN = 6
PLAIN_WIDTH = 120
"""Width of the output if it is not a terminal."""


@click.command(short_help="Show how served forecasts came out.")
@click.argument("name")
@click.option(
    "--url", envvar="ALMANAC_SERVICE_URL", default=SERVICE_URL, show_default=True, help="Address of the service."
)
@click.option("--key", envvar="ALMANAC_API_KEY", help="API key of scope read or observe, if the service has keys.")
@click.option(
    "--period",
    type=click.Choice(["day", "week", "month", "year"]),
    default="month",
    show_default=True,
    help="Period of coverage over time.",
)
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write a figure to a .png, .svg or .pdf file."
)
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of tables.")
def accuracy(name: str, url: str, key: str | None, period: str, *, plot: Path | None, as_json: bool) -> None:  # noqa: PLR0913
    """Show the live error of the model NAME by step with its backtest and seasonal naive, and coverage over time.

    NAME is a registered name, name/version, or starter. Without a version it is the newest one with scores. --plot
    needs the train extra; tables do not.

    \b
    Example:
        almanac accuracy temperatures
        almanac accuracy temperatures/7 --plot accuracy.png
    """  # noqa: D301 - click's \b keeps the example's lines
    if plot is not None and plot.suffix.lower() not in PICTURES:
        raise click.UsageError(f"--plot must end in {', '.join(PICTURES)}. Received: {str(plot)!r}.")
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--url must be an address such as http://127.0.0.1:8000. Received: {url!r}.")
    found = read_accuracy(Address(url, key), name, period, FORECASTS_DRAWN)
    if plot is not None and found.version is not None:
        _draw(found, plot)
    if as_json:
        _print_json(found.to_dict())
    else:
        _print(found)


def tables(found: LiveAccuracy) -> list[Table]:
    """Return the tables that have rows: versions, and steps, periods and drift of one version."""
    title = f"{found.name} {found.version}"
    candidates = [
        _table("Versions", ["version", *_COLUMNS], [[row["version"], *_cells(row)] for row in found.versions]),
        _table(
            f"{title}: by step, with its backtest",
            ["step", *_COLUMNS, "backtest", "its naive"],
            [[str(row["step"]), *_cells(row), *_backtest_cells(row["backtest"])] for row in found.steps],
        ),
        _table(f"{title}: over time", ["period", *_COLUMNS], [[row["period"], *_cells(row)] for row in found.periods]),
        _table(
            "Errors and backtest, same steps",
            ["version", "scores", "MASE", "backtest", "ratio", "ratio of naive"],
            [_error_row(row) for row in found.drift.get("errors", [])],
        ),
        _table(
            "Inputs compared with those of the training",
            ["version", "feature", "index", "distance", "p", "inputs"],
            [_input_row(row) for row in found.drift.get("inputs", [])],
        ),
    ]
    return [one for one in candidates if one.row_count]


_COLUMNS = ("scores", "MASE", "seasonal naive", "skill", "in 80 %", "in 95 %")


def _cells(row: Row) -> list[str]:
    coverage = row["coverage"]
    numbers = [_number(row[key]) for key in ("mase", "naive_mase", "skill")]
    return [f"{row['scores']:,}", *numbers, _share(coverage["80"]), _share(coverage["95"])]


def _backtest_cells(backtest: Row | None) -> list[str]:
    return [_number((backtest or {}).get(name)) for name in ("mase", "naive_mase")]


def _error_row(row: Row) -> list[str]:
    numbers = [_number(row[key]) for key in ("mase", "backtest_mase", "ratio", "naive_ratio")]
    return [row["version"], f"{row['scores']:,}", *numbers]


def _input_row(row: Row) -> list[str]:
    numbers = [_number(row[key]) for key in ("index", "distance", "p_value")]
    return [row["version"], row["feature"], *numbers, f"{row['inputs']:,}"]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _table(title: str, headings: "Iterable[str]", rows: "Iterable[list[str]]") -> Table:
    table = Table(title=title, title_justify="left")
    for column, heading in enumerate(headings):
        table.add_column(heading, justify="left" if column == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _print(found: LiveAccuracy) -> None:
    """Print the tables, or what to do if there are no scores."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH)
    if found.version is None:
        waiting = f" {found.due:,} forecasts wait to be scored." if found.due else ""
        console.print(
            Text(
                f"No forecast of {found.name} has been scored yet.{waiting} "
                "A forecast is scored when the service gets observations: POST /observations, or `almanac observe FILE`."
            )
        )
    for table in tables(found) if found.version is not None else []:
        console.print(table)


def _draw(found: LiveAccuracy, path: Path) -> None:
    """Write the figure; raises ModuleNotFoundError without the train extra, which almanac.py explains."""
    from training.cli.accuracy_figures import draw_accuracy

    path.parent.mkdir(parents=True, exist_ok=True)
    draw_accuracy(found).savefig(path, dpi=130)


def _print_json(data: Any) -> None:  # noqa: ANN401 (any JSON)
    import orjson

    click.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
