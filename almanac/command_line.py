"""The command line: a table of commands, each imported only when it is called."""

import gc
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from almanac import names
from models.errors import AlmanacError

COMMANDS = {
    "demo": ("training.demo.demo:demo", "Train on real temperatures, serve, and forecast."),
    "train": ("training.cli.train:train", "Train, compare, register and promote."),
    "tune": ("training.cli.tune:tune", "Search for better settings by validation error."),
    "backtest": ("training.cli.backtest:backtest", "Measure networks and baselines on held-out data."),
    "pretrain": ("training.cli.pretrain:pretrain", "Train the starters on synthetic series."),
    "evaluate-starter": ("training.cli.evaluate_starter:evaluate_starter", "Measure the starter on benchmark sets."),
    "reproduce": ("training.cli.reproduce:reproduce", "Train a run again and compare."),
    "forecast": (
        "almanac.commands.forecast:forecast",
        "Forecast a file with a registered model or the starter, here or by a service.",
    ),
    "retrain": ("training.cli.retrain:retrain", "Retrain a model now, or show whether it is needed."),
    "schedule": ("training.cli.schedule:schedule", "Create, list, pause and run retraining schedules."),
    "jobs": ("training.cli.jobs:jobs", "List jobs, follow one, cancel it, adopt those of a dead worker."),
    "worker": ("training.cli.jobs:worker", "Run scheduled and requested retrainings."),
    "serve": ("service.cli.serve:serve", "Serve the registered models, or the starter, over REST."),
    "observe": ("service.cli.observe:observe", "Send a file of observations to a service."),
    "accuracy": ("training.cli.accuracy:accuracy", "Show the accuracy of past forecasts."),
    "models": ("training.cli.models:models", "List registered models."),
    "promote": ("training.cli.models:promote", "Make a version the champion."),
    "rollback": ("training.cli.models:rollback", "Restore the previous champion."),
    "home": ("training.cli.home:home", "Repair a home that was moved or copied."),
    "key": ("service.cli.keys:key", "Create, list, rotate and remove API keys."),
    "audit": ("service.cli.audit:audit", "Show who changed aliases, schedules and keys."),
    "migrate": ("service.cli.migrate:migrate", "Create or upgrade the tables of the databases."),
    "doctor": ("almanac.commands.doctor:doctor", "Say what is wrong with this installation, and what to do."),
    "ui": ("training.cli.mlflow_ui:ui", "Show runs and models in MLflow's UI."),
}
"""The function of each command, and its line in `almanac --help`."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as in shells."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called, so that `--help` does not import TensorFlow."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        gc.disable()  # what is imported stays: looking for garbage in it takes a sixth of the time
        try:
            command: click.Command = getattr(importlib.import_module(names.resolve(module)), name)
        finally:
            gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="almanac-forecast", prog_name="almanac")
def almanac() -> None:
    """Train recurrent and WaveNet forecasters on your series, keep them in MLflow, serve them over REST.

    \b
    Example:
        almanac demo
        almanac train --data sales.csv --horizon 12
        almanac serve
    """  # noqa: D301 - click's \b keeps the example's lines


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command; an error is one line and an exit code, 1 for a failure and 2 for wrong usage."""
    try:
        result: Any = almanac.main(arguments, prog_name="almanac", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as usage:
        usage.show()
        sys.exit(0)
    except click.ClickException as usage:
        usage.show()
        sys.exit(usage.exit_code)
    except AlmanacError as error:
        _fail(str(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ModuleNotFoundError as error:
        from service.install import install_command

        _fail(f"{error}. Training and MLflow need the train extra: {install_command()}")
    except Exception as error:
        if os.environ.get("ALMANAC_DEBUG"):
            raise
        _fail(f"{type(error).__name__}: {error} (ALMANAC_DEBUG=1 shows where; please report it.)")
    sys.exit(result if isinstance(result, int) else 0)


def _fail(text: str) -> NoReturn:
    click.echo(click.style("Error: ", fg="red", bold=True) + text, err=True)
    sys.exit(1)
