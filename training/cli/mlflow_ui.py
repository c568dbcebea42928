"""UI command: `almanac ui` runs MLflow's own UI as a child process."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
import webbrowser
from dataclasses import dataclass
from types import FrameType

import click

from models.errors import ModelUnknown, RegistryUnreachable
from training.registry.location import QUIET, RegistryLocation

HOST = "127.0.0.1"
GRACE_SECONDS = 10.0
READY_SECONDS = 60.0
SERVER = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Environment variables of the server: it runs no jobs."""


@click.command(short_help="Show runs and models in MLflow's UI.")
@click.option("--name", help="Model whose newest comparison to show. Default: the model that was compared last.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on loopback.")
@click.option(
    "--browser/--no-browser",
    default=None,
    help="Open the comparison in a browser. Default: yes, on a terminal with a display.",
)
def ui(name: str | None, port: int, *, browser: bool | None) -> None:
    """Serve MLflow's UI for Almanac's runs until Ctrl-C, and open the newest comparison.

    The runs table has the MASE of every candidate beside the baselines. With a tracking server, only its address is printed.

    \b
    Example:
        almanac ui
        almanac ui --name temperatures --port 5001
    """  # noqa: D301 - click's \b keeps the example's lines
    location = RegistryLocation.from_environment(os.environ)
    is_shown = has_display() if browser is None else browser
    if location.is_server:
        show(Addresses.of(location, location.uri.rstrip("/"), name), is_shown=is_shown)
        return
    serve_ui(location, port, name, is_shown=is_shown)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of MLflow's UI and of the newest comparison in it; `comparison` is "" if there is none."""

    server: str
    comparison: str = ""

    @classmethod
    def of(cls, location: RegistryLocation, server: str, name: str | None) -> "Addresses":
        """Return the addresses at a server; raises ModelUnknown if the named model has no comparison."""
        from training.registry.client import Registry

        try:
            fragment = Registry(location).newest_view(name)
        except RegistryUnreachable:
            return cls(server)
        if name and not fragment:
            raise ModelUnknown(f"There is no comparison of {name!r}.", hint="almanac models lists the models.")
        return cls(server, f"{server}/{fragment}" if fragment else "")


def show(found: Addresses, *, is_shown: bool, note: str = "") -> None:
    """Print the addresses, and open the comparison in a browser if wanted."""
    click.echo(f"MLflow's UI: {found.server}{note}")
    if found.comparison:
        click.echo(f"Newest comparison: {found.comparison}")
    if is_shown:
        webbrowser.open(found.comparison or found.server)


def has_display() -> bool:
    """Return whether a person is at a terminal with a display, so that a browser does not take the terminal."""
    is_graphical = sys.platform in {"darwin", "win32"} or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    return bool(is_graphical) and sys.stdout.isatty()


def serve_ui(location: RegistryLocation, port: int, name: str | None = None, *, is_shown: bool = False) -> None:
    """Serve the UI on loopback until Ctrl-C or SIGTERM; raises RegistryUnreachable."""
    location.require_registry()
    found = Addresses.of(location, f"http://{HOST}:{port}", name)
    before = signal.signal(signal.SIGTERM, _interrupt)
    # In its own process group Ctrl-C does not reach MLflow's server; it is ended below, with its workers.
    process = subprocess.Popen(  # noqa: S603 (our own command)
        _command(location, port), env={**QUIET, **os.environ, **SERVER}, start_new_session=True
    )
    try:
        if is_shown:
            _wait_until_ready(process, found.server)
        show(found, is_shown=is_shown, note="  (Ctrl-C ends it)")
        code = process.wait()
    except KeyboardInterrupt:
        _end(process)
        click.echo("Stopped.")
        return
    finally:
        signal.signal(signal.SIGTERM, before)
    raise RegistryUnreachable(f"MLflow's server ended with exit code {code}.", hint=f"Is port {port} in use?")


def _wait_until_ready(process: "subprocess.Popen[bytes]", server: str) -> None:
    """Return once the server answers, has ended, or is not ready in time."""
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{server}/health", timeout=1).close()  # noqa: S310 (our own server)
        except OSError:
            time.sleep(0.2)
        else:
            return


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
