"""Key file: the API keys of a service, stored as hashes; who else can write the file can create keys."""

import hashlib
import json
import os
import secrets
import shlex
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from service.errors import KeysInvalid
from service.settings import check_rate

SCOPES = ("forecast", "record", "read", "observe", "erase", "admin")
KEY_PREFIX = "alm_"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is stored, without the key itself.

    Attributes:
        name: Chosen by its owner.
        sha256: Hexadecimal SHA-256 of the key. A plain hash is safe, because the key has 256 random bits.
        scopes: What it gives access to, from `SCOPES`.
        created: ISO 8601 time.
        expires: ISO 8601 time from which on it is rejected; "" for never.
        rate: Most requests, such as `100/second`; "" for ALMANAC_RATE.
    """

    name: str
    sha256: str
    scopes: tuple[str, ...]
    created: str = ""
    expires: str = ""
    rate: str = ""

    def is_expired(self, now: datetime) -> bool:
        """Return whether it is rejected now."""
        return bool(self.expires) and now >= datetime.fromisoformat(self.expires)


def make_key(name: str, scopes: tuple[str, ...], created: str, expires: str = "", rate: str = "") -> tuple[str, Key]:
    """Return a new random key, to be shown once, and the entry to store."""
    secret = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    return secret, Key(name, hash_key(secret), scopes, created, expires, rate)


def read_keys(path: Path) -> tuple[Key, ...]:
    """Return the keys in a file, none if there is no file; raises KeysInvalid, also if other users can write the file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise _dangling(path) from error
        return ()
    except OSError as error:
        raise KeysInvalid(f"{path} cannot be read: {error.strerror}.", hint="Give this user access to it.") from error
    check_only_owner_writes(path)
    try:
        return tuple(_key(entry) for entry in json.loads(content, object_pairs_hook=_unique_names)["keys"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeysInvalid(
            f"{path} is not a valid API key file: {error}.",
            hint="Remove what was added by hand, and create keys with `almanac key add --scope forecast`.",
        ) from error


def _dangling(path: Path) -> KeysInvalid:
    quoted = shlex.quote(str(path))
    return KeysInvalid(
        f"{path} is a link to {path.readlink()}, which does not exist.",
        hint=f"Bring that file back, or run `rm {quoted}` if there are to be no keys.",
    )


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; raises ValueError for a name that occurs twice, since only one of the values would count."""
    found = dict(pairs)
    if len(found) < len(pairs):
        name = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"it has {name[:40]!r} twice")
    return found


def check_only_owner_writes(path: Path) -> None:
    """Raise KeysInvalid if other users can change the key file, or replace it: they could give themselves a key."""
    _check_owner(path, "600")
    if os.geteuid() == 0 and (owner := path.stat().st_uid) != 0:
        raise KeysInvalid(
            f"{path} belongs to another user ({owner}), who can create keys.",
            hint=f"Run `chown 0 {shlex.quote(str(path))}`, or run almanac as that user.",
        )
    for folder in {path.parent, path.resolve().parent}:
        _check_owner(folder, "go-w")


def _check_owner(place: Path, mode: str) -> None:
    """Raise KeysInvalid, with the command that makes it private, if others can write a file, or replace one in a folder."""
    status = place.stat()
    quoted = shlex.quote(str(place))
    is_sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX  # only owners replace files, as in /tmp
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not is_sticky:
        raise KeysInvalid(
            f"Other users can write {place} (mode {stat.S_IMODE(status.st_mode):o}), and so create keys.",
            hint=f"Run `chmod {mode} {quoted}`, and remove the keys in `almanac key list` that you did not create.",
        )
    if os.geteuid() not in {0, status.st_uid} and status.st_uid != 0:
        raise KeysInvalid(
            f"{place} belongs to another user ({status.st_uid}), who can create keys.",
            hint=f"Run `sudo chown {os.geteuid()} {quoted}`.",
        )


def write_keys(path: Path, keys: tuple[Key, ...]) -> None:
    """Replace the key file in one step; only its owner can read it. Raises KeysInvalid if others can write its folder."""
    path.parent.mkdir(0o755, parents=True, exist_ok=True)
    _check_owner(path.parent, "go-w")
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    content = orjson.dumps({"keys": [asdict(key) for key in keys]}, option=orjson.OPT_INDENT_2)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)


def hash_key(secret: str) -> str:
    """Return the hexadecimal SHA-256 of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(entry: Mapping[str, Any]) -> Key:
    """Return a stored key; raises ValueError or TypeError for an entry that `write_keys` does not write."""
    name, digest, scopes = (entry.get(field) for field in ("name", "sha256", "scopes"))
    if not isinstance(name, str) or not isinstance(digest, str) or not isinstance(scopes, list):
        raise TypeError(f"the entry {str(name)[:40]!r} needs a name, a sha256 and a list of scopes")
    if not scopes or (unknown := [scope for scope in scopes if scope not in SCOPES]):
        wrong = f"the unknown scopes {unknown}" if scopes else "no scopes"
        raise ValueError(f"key {name!r} has {wrong}; the scopes are {', '.join(SCOPES)}")
    if len(bytes.fromhex(digest)) != hashlib.sha256().digest_size:
        raise ValueError(f"key {name!r} has a malformed hash")
    expires, rate = str(entry.get("expires", "")), str(entry.get("rate", ""))
    if expires and datetime.fromisoformat(expires).tzinfo is None:
        raise ValueError(f"key {name!r} expires at a time without an offset")
    if rate:
        check_rate(rate)
    return Key(name, digest.lower(), tuple(scopes), str(entry.get("created", "")), expires, rate)
