"""UI command: `almanac ui` runs MLflow's own UI as a child process."""

import os
import signal
import subprocess
import sys
from types import FrameType

import click

from models.errors import RegistryUnreachable
from training.registry.location import QUIET, RegistryLocation

HOST = "127.0.0.1"
GRACE_SECONDS = 10.0
SERVER = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Environment variables of the server: it runs no jobs."""


@click.command(short_help="Show runs and models in MLflow's UI.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on loopback.")
def ui(port: int) -> None:
    """Serve MLflow's UI for Almanac's runs until Ctrl-C.

    \b
    Example:
        almanac ui --port 5000
    """  # noqa: D301 - click's \b keeps the example's lines
    location = RegistryLocation.from_environment(os.environ)
    if location.is_server:
        click.echo(f"MLflow's UI: {location.uri}")
        return
    serve_ui(location, port)


def serve_ui(location: RegistryLocation, port: int) -> None:
    """Serve the UI on loopback until Ctrl-C or SIGTERM; raises RegistryUnreachable."""
    location.require_registry()
    before = signal.signal(signal.SIGTERM, _interrupt)
    # In its own process group Ctrl-C does not reach MLflow's server; it is ended below, with its workers.
    process = subprocess.Popen(  # noqa: S603 (our own command)
        _command(location, port), env={**QUIET, **os.environ, **SERVER}, start_new_session=True
    )
    click.echo(f"MLflow's UI: http://{HOST}:{port}  (Ctrl-C ends it)")
    try:
        code = process.wait()
    except KeyboardInterrupt:
        _end(process)
        click.echo("Stopped.")
        return
    finally:
        signal.signal(signal.SIGTERM, before)
    raise RegistryUnreachable(f"MLflow's server ended with exit code {code}.", hint=f"Is port {port} in use?")


def _command(location: RegistryLocation, port: int) -> list[str]:
    artifacts = (location.home / "artifacts").as_uri()
    flags = ["--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    store = ["--backend-store-uri", location.uri, "--default-artifact-root", artifacts]
    return [sys.executable, "-m", "mlflow", "server", *flags, *store]


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the server and its workers with SIGTERM, after a grace period with SIGKILL."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signum)
            process.wait(GRACE_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
