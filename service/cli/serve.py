"""Command `almanac serve`."""

import sys

import click

from service.api.key_file import read_keys
from service.api.security import is_loopback
from service.cli.listening import announce, listen, reserve
from service.cli.starting import leave_out_unused, prepare_process
from service.serving.home_check import check_own
from service.settings import Settings


@click.command(short_help="Serve forecasts over REST.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind to.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 selects a free one."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that answer requests, at most one a core. [default: ALMANAC_WORKERS, or 1]",
)
@click.option("--insecure", is_flag=True, help="Serve other machines without API keys.")
def serve(host: str, port: int, *, workers: int | None, insecure: bool) -> None:
    """Serve forecasts over REST, from the models registered in MLflow, or from the starter before there are any.

    Without API keys only this machine is served: another --host needs keys (`almanac key add`) or --insecure.

    \b
    Example:
        almanac serve
        curl localhost:8000/forecast --json '{"series": [{"values": [35, 40, 38, 29, 19]}], "horizon": 3}'
    """  # noqa: D301 (click's mark for lines that it must not wrap)
    settings = Settings.from_environment()
    if not (is_loopback(host) or insecure or read_keys(settings.api_keys)):
        raise click.UsageError(
            f"--host {host} serves other machines, but no API keys are set. "
            "Create one with `almanac key add --scope forecast`, or use --insecure."
        )
    check_own(settings.home, settings.tracking_uri)
    run(settings.model_copy(update={"workers": workers or settings.workers}), host, port)


def run(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM, in this process or in several."""
    leave_out_unused()
    from service.logs import configure_logging

    configure_logging(settings.api_keys)
    if settings.workers > 1:
        from service.cli.workers import run_workers

        read_keys(settings.api_keys)  # a file that cannot be read is an error of this command, not of each worker
        with reserve(host, port) as reserved:
            sys.exit(run_workers(settings, host, reserved))
    prepare_process()
    from service.app import create_app
    from service.cli.server import serve_app

    app, listener = create_app(settings, host=host), listen(host, port)
    announce(host, listener)
    serve_app(app, settings, listener)
