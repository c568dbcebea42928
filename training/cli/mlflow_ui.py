"""Interface: MLflow's own UI over Almanac's store, as a child process that ends with us."""

import os
import signal
import subprocess
import sys
from types import FrameType

import click

from models.errors import RegistryUnreachable
from training.registry.location import QUIET, Place

HOST = "127.0.0.1"
GRACE_SECONDS = 10.0


def serve_interface(place: Place, port: int) -> None:
    """Serve the UI on loopback until Ctrl-C or SIGTERM.

    Raises:
        RegistryUnreachable: If there is nothing to show, or MLflow's server ends by itself, as when the port is taken.
    """
    place.require_registry()
    before = signal.signal(signal.SIGTERM, _interrupt)
    # A group of its own: Ctrl-C reaches us alone, and we end MLflow's server and its workers together.
    child = subprocess.Popen(_command(place, port), env={**QUIET, **os.environ, **SERVER}, start_new_session=True)  # noqa: S603
    click.echo(f"MLflow's UI: http://{HOST}:{port}  (Ctrl-C ends it)")
    try:
        code = child.wait()
    except KeyboardInterrupt:
        _end(child)
        click.echo("Stopped.")
        return
    finally:
        signal.signal(signal.SIGTERM, before)
    raise RegistryUnreachable(f"MLflow's server ended with exit code {code}.", hint=f"Is port {port} taken?")


SERVER = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""The UI alone: no job runners beside it."""


def _command(place: Place, port: int) -> list[str]:
    artifacts = (place.home / "artifacts").as_uri()
    flags = ["--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    store = ["--backend-store-uri", place.uri, "--default-artifact-root", artifacts]
    return [sys.executable, "-m", "mlflow", "server", *flags, *store]


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the server and its workers: asked first, killed if they do not answer."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sign)
            child.wait(GRACE_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@click.command(short_help="Show runs and models in MLflow's UI.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on loopback.")
def ui(port: int) -> None:
    """Serve MLflow's UI over Almanac's runs until Ctrl-C.

    \b
    Example:
        almanac ui --port 5000
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.registry.location import Place

    place = Place.from_environment(os.environ)
    if place.is_server:
        click.echo(f"MLflow's UI: {place.uri}")
        return
    serve_interface(place, port)
