"""Command `almanac key`: creates, lists, rotates and removes API keys, and records each change in the audit log."""

import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import orjson

from models.audit.log import record_own
from models.jobs.database import almanac_home
from service.api.key_file import SCOPES, Key, hash_key, make_key, read_keys, write_keys
from service.settings import Settings, check_rate

MIN_KEY_CHARACTERS = 32
"""A stored key is a plain SHA-256, so one that is made elsewhere must be as hard to guess as a random one."""

UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Span(click.ParamType[timedelta]):
    """A span of time such as `90d`, `36h` or `30m`."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the span of time; fail with a usage error if the text is not one."""
        text = str(value)
        if not re.fullmatch("[0-9]{1,5}[dhm]", text):
            self.fail(f"{text!r} is not a time. Use days, hours or minutes, such as 90d, 36h or 30m.", param, ctx)
        return timedelta(**{UNITS[text[-1]]: int(text[:-1])})


class Rate(click.ParamType[str]):
    """A rate such as `100/second`."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the rate; fail with a usage error if the text is not one."""
        try:
            return check_rate(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a rate. Use a number and a time, such as 100/second.", param, ctx)


@click.group(short_help="Create, list, rotate and remove API keys.")
def key() -> None:
    """Create, list, rotate and remove API keys; a running service uses the change at once.

    \b
    Example:
        almanac key add --scope forecast --name dashboard
    """  # noqa: D301


@key.command("add")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    help=f"What the key gives access to, separated by commas: {', '.join(SCOPES)}. `admin` includes all others.",
)
@click.option("--name", help="Name of the key; by default the next free `key-N`.")
@click.option("--expires", type=Span(), help="Reject the key after this time, such as 90d. [default: never]")
@click.option("--rate", type=Rate(), help="Most requests with the key, such as 100/second. [default: ALMANAC_RATE]")
@click.option(
    "--from",
    "variable",
    metavar="VARIABLE",
    help="Environment variable that has the key, in place of a new random one. The same key again changes nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of text.")
def add(  # noqa: PLR0913 (each an option)
    scopes: tuple[str, ...],
    name: str | None,
    expires: timedelta | None,
    rate: str | None,
    variable: str | None,
    *,
    as_json: bool,
) -> None:
    """Create a key and print it once: only its SHA-256 is stored.

    \b
    Example:
        almanac key add --scope forecast,observe --name dashboard
        almanac key add --scope forecast --name partner --expires 90d --rate 50/second
        almanac key add --scope observe --name prometheus --from ALMANAC_METRICS_KEY
    """  # noqa: D301
    path, wanted = _keys_path(), _scopes(",".join(scopes))
    keys = read_keys(path)
    if expires == timedelta(0):
        raise click.UsageError("A key that expires at once cannot be used. Give --expires a longer time, such as 90d.")
    ends = _after(expires) if expires else ""
    if variable is not None:
        secret = _given(variable)
        _store(path, keys, Key(name or variable, hash_key(secret), wanted, _after(), ends, rate or ""))
        return
    name = name or next(free for free in (f"key-{n}" for n in range(1, len(keys) + 2)) if _is_free(free, keys))
    if not _is_free(name, keys):
        raise click.UsageError(f"There is a key {name!r} already. Use another --name, or remove it first.")
    secret, made = make_key(name, wanted, _after(), ends, rate or "")
    write_keys(path, (*keys, made))
    _record("key.add", made)
    _show_secret(secret, made, path, "Created", as_json=as_json)


@key.command("rotate")
@click.argument("name")
@click.option("--overlap", type=Span(), default="1d", show_default=True, help="How long the old key works, too.")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of text.")
def rotate(name: str, overlap: timedelta, *, as_json: bool) -> None:
    """Create a new key NAME with the scopes and the rate of the old one, which expires after a time.

    A key that expires gets as long a life again. The old one is listed as NAME-old, NAME-old-2 and so on.

    \b
    Example:
        almanac key rotate dashboard --overlap 12h
    """  # noqa: D301
    path = _keys_path()
    keys = read_keys(path)
    old = _find(name, keys)
    free = (f"{name}-old" + (f"-{n}" if n > 1 else "") for n in range(1, len(keys) + 2))
    ends = min(filter(None, (old.expires, _after(overlap))), key=datetime.fromisoformat)
    former = replace(old, name=next(one for one in free if _is_free(one, keys)), expires=ends)
    secret, made = make_key(name, old.scopes, _after(), _after(_life(old)), old.rate)
    write_keys(path, (*(former if one is old else one for one in keys), made))
    _record("key.rotate", made, old=former.name, old_expires=ends)
    _show_secret(secret, made, path, f"The old key, {former.name}, works until {ends}. Created", as_json=as_json)


@key.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of a table.")
def show(*, as_json: bool) -> None:
    """List the names, scopes and times of the keys.

    \b
    Example:
        almanac key list --json
    """  # noqa: D301
    keys = read_keys(_keys_path())
    if as_json:
        fields = ("name", "scopes", "created", "expires", "rate")
        _print_json({"keys": [{field: getattr(one, field) for field in fields} for one in keys]})
        return
    if not keys:
        click.echo("There are no keys: the service can be used from this machine only.", err=True)
    now = datetime.now(UTC)
    for one in keys:
        ends = f"  {'expired' if one.is_expired(now) else 'expires'} {one.expires}" if one.expires else ""
        rate = f"  {one.rate}" if one.rate else ""
        click.echo(f"{one.name:<20} {','.join(one.scopes):<24} {one.created}{ends}{rate}")


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
    found = _find(name, keys)
    write_keys(path, tuple(one for one in keys if one is not found))
    record_own(almanac_home(os.environ), "key.remove", key=name)
    click.echo(f"Removed {name}.", err=True)


def _given(variable: str) -> str:
    """Return the key in an environment variable; raises UsageError if it is not one."""
    secret = os.environ.get(variable, "")
    if len(secret) < MIN_KEY_CHARACTERS or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise click.UsageError(
            f"{variable} is not a key: it has {len(secret)} characters. Set it to {MIN_KEY_CHARACTERS} random letters and digits "
            "or more, for example from `openssl rand -hex 32`."
        )
    return secret


def _store(path: Path, keys: tuple[Key, ...], made: Key) -> None:
    """Store a given key in place of another one of its name."""
    if any((one.sha256, one.scopes, one.rate) == (made.sha256, made.scopes, made.rate) for one in keys):
        click.echo(f"{path} has this key already.", err=True)
        return
    write_keys(path, (*(one for one in keys if made.name != one.name and made.sha256 != one.sha256), made))
    _record("key.add", made)
    click.echo(f"Stored {made.name} with the scopes {', '.join(made.scopes)} in {path}.", err=True)


def _record(action: str, made: Key, **details: str) -> None:
    """Record a key that is made in the audit log, with all that it may do."""
    may = {"scopes": ",".join(made.scopes), "expires": made.expires, "rate": made.rate}
    record_own(almanac_home(os.environ), action, key=made.name, **may, **details)


def _show_secret(secret: str, made: Key, path: Path, what: str, *, as_json: bool) -> None:
    """Print a new key, the only time that it is shown."""
    if as_json:
        expires = {"expires": made.expires} if made.expires else {}
        _print_json({"name": made.name, "key": secret, "scopes": made.scopes, "file": str(path), **expires})
        return
    ends = f" until {made.expires}" if made.expires else ""
    click.echo(
        f"{what} {made.name} with the scopes {', '.join(made.scopes)}{ends}. "
        f"It is shown once, and stored as a hash in {path}:",
        err=True,
    )
    click.echo(secret)


def _life(old: Key) -> timedelta | None:
    """Return how long a key is valid from its creation on, None for ever."""
    if not old.expires or not old.created:
        return None
    return datetime.fromisoformat(old.expires) - datetime.fromisoformat(old.created)


def _after(span: timedelta | None = timedelta(0)) -> str:
    """Return the time after a span from now, "" for never."""
    return "" if span is None else (datetime.now(UTC) + span).isoformat(timespec="seconds")


def _find(name: str, keys: tuple[Key, ...]) -> Key:
    """Return a key; raises UsageError if there is none of this name."""
    found = next((one for one in keys if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in keys) or "none"
        raise click.UsageError(f"There is no key {name!r}. The keys: {known}.")
    return found


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
