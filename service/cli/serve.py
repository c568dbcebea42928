"""Commands `almanac serve` and `almanac key`."""

import gc
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson

from service.api.security import SCOPES, Key, is_loopback, make_key, read_keys, write_keys
from service.cli.listening import announce, listen, reserve
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
    run(settings.model_copy(update={"workers": workers or settings.workers}), host, port)


def run(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM, in this process or in several."""
    from service.logs import configure_logging

    configure_logging()
    if settings.workers > 1:
        from service.cli.workers import run_workers

        read_keys(settings.api_keys)  # a file that cannot be read is an error of this command, not of each worker
        with reserve(host, port) as reserved:
            sys.exit(run_workers(settings, host, reserved))
    gc.disable()  # what is imported and built here stays: no search for garbage now, and none in it later
    from service.app import create_app
    from service.cli.server import serve_app

    app, listener = create_app(settings, host=host), listen(host, port)
    announce(host, listener)
    serve_app(app, settings, listener)


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
