"""Commands `almanac serve` and `almanac key`."""

import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click
import orjson

from service.api.security import SCOPES, Key, is_loopback, make_key, read_keys, write_keys
from service.settings import Settings

logger = logging.getLogger("almanac")

SWITCH_SECONDS = 0.001
"""How long a thread keeps the interpreter while the event loop waits for it; Python's 5 ms delay health checks."""

CLOSING_SECONDS = 25.0
"""How long writing the waiting forecasts and closing may take after the drain time."""

THREADS_SECONDS = 1.0
"""How long threads have to end once everything is closed."""

KEEP_ALIVE_SECONDS = 75
"""Longer than nginx keeps an idle connection (60), so that nginx never sends into a closed one."""


@click.command(short_help="Serve forecasts over REST.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind to.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 selects a free one."
)
@click.option("--insecure", is_flag=True, help="Serve other machines without API keys.")
def serve(host: str, port: int, *, insecure: bool) -> None:
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
    run(settings, host, port)


def run(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; then requests in progress have `drain_seconds` to end."""
    gc.disable()  # what is imported and built here stays: no search for garbage now, and none in it later
    import uvicorn

    from service.app import create_app
    from service.cli.protocol import bounded_protocol
    from service.logs import configure_logging

    configure_logging()
    sys.setswitchinterval(SWITCH_SECONDS)
    config = uvicorn.Config(
        create_app(settings, host=host),
        loop="uvloop",
        http=bounded_protocol(settings.header_timeout_seconds, settings.body_timeout_seconds),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_graceful_shutdown=settings.drain_seconds,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    gc.freeze()
    gc.enable()
    listener = _listen(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    click.echo(f"Almanac listens on {address} (docs: {address}/docs)", err=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)  # uvicorn raises the signal again when it has ended

    class Server(uvicorn.Server):
        """A server that logs the signal that ends it."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """Log the signal, and shut down."""
            logger.info(
                "%s: waiting up to %d s for requests in progress", signal.Signals(sig).name, settings.drain_seconds
            )
            watchdog = threading.Timer(settings.drain_seconds + CLOSING_SECONDS, _exit_now, ["the shutdown"])
            watchdog.daemon = True
            watchdog.start()
            super().handle_exit(sig, frame)

    try:
        Server(config).run(sockets=[listener])
    finally:
        _leave()


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; raises ClickException."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port."
        ) from error


def _leave() -> None:
    """End the process if a thread still computes: Python would wait for it. The forecasts are logged by now."""
    deadline = time.monotonic() + THREADS_SECONDS
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                _exit_now(f"the thread {thread.name}")


def _exit_now(what: str) -> None:
    logger.warning("%s did not end in time: the process exits", what)
    logging.shutdown()
    os._exit(0)


def _exit(_number: int, _frame: object) -> None:
    sys.exit(0)


@click.group(short_help="Create, list and remove API keys.")
def key() -> None:
    """Create, list and remove API keys; a running service uses the change at once.

    \b
    Example:
        almanac key add --scope forecast --name dashboard
    """  # noqa: D301


@key.command("add")
@click.option(
    "--scope",
    "scopes",
    required=True,
    help=f"What the key gives access to, separated by commas: {', '.join(SCOPES)}. `admin` includes all others.",
)
@click.option("--name", help="Name of the key; by default the next free `key-N`.")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of text.")
def add(scopes: str, name: str | None, *, as_json: bool) -> None:
    """Create a key and print it once: only its SHA-256 is stored.

    \b
    Example:
        almanac key add --scope forecast,observe --name dashboard
    """  # noqa: D301
    path = _keys_path()
    keys = read_keys(path)
    name = name or next(free for free in (f"key-{n}" for n in range(1, len(keys) + 2)) if _is_free(free, keys))
    if not _is_free(name, keys):
        raise click.UsageError(f"There is a key {name!r} already. Use another --name, or remove it first.")
    secret, made = make_key(name, _scopes(scopes), datetime.now(UTC).isoformat(timespec="seconds"))
    write_keys(path, (*keys, made))
    if as_json:
        _print_json({"name": name, "key": secret, "scopes": made.scopes, "file": str(path)})
        return
    click.echo(
        f"Created {name} with the scopes {', '.join(made.scopes)}. It is shown once, and stored as a hash in {path}:",
        err=True,
    )
    click.echo(secret)


@key.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
def show(*, as_json: bool) -> None:
    """List the names, scopes and creation times of the keys.

    \b
    Example:
        almanac key list --json
    """  # noqa: D301
    keys = read_keys(_keys_path())
    if as_json:
        _print_json({"keys": [{"name": one.name, "scopes": one.scopes, "created": one.created} for one in keys]})
        return
    if not keys:
        click.echo("There are no keys: the service can be used from this machine only.", err=True)
    for one in keys:
        click.echo(f"{one.name:<20} {','.join(one.scopes):<24} {one.created}")


@key.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Remove the key NAME; a running service rejects it at once.

    \b
    Example:
        almanac key remove dashboard
    """  # noqa: D301
    path = _keys_path()
    keys = read_keys(path)
    if _is_free(name, keys):
        known = ", ".join(one.name for one in keys) or "none"
        raise click.UsageError(f"There is no key {name!r}. The keys: {known}.")
    write_keys(path, tuple(one for one in keys if one.name != name))
    click.echo(f"Removed {name}.", err=True)


def _keys_path() -> Path:
    """Return the file in ALMANAC_API_KEYS, which may not exist yet, or the one in ALMANAC_HOME."""
    named = os.environ.get("ALMANAC_API_KEYS")
    return Path(named).expanduser().absolute() if named else Settings.from_environment().api_keys


def _scopes(text: str) -> tuple[str, ...]:
    scopes = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise click.UsageError(f"Unknown --scope {text!r}. The scopes are {', '.join(SCOPES)}.")
    return scopes


def _is_free(name: str, keys: tuple[Key, ...]) -> bool:
    return all(one.name != name for one in keys)


def _print_json(data: object) -> None:
    click.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
