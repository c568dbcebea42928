"""Security: the scopes of paths, the keys of a running service, and the middleware that checks them before a body is read."""

import hmac
import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import AlmanacError
from service.api.key_file import SCOPES, Key, hash_key, read_keys
from service.api.rates import Rates
from service.callers import CLIENT
from service.errors import KeyMissing, KeysInvalid, ScopeMissing
from service.problems import problem

logger = logging.getLogger("almanac")

CHECK_SECONDS = 0.001
"""A key file is looked at once in this time: requests that arrive together ask the system once."""

ROTATED = re.compile(r"(.+)-old(?:-\d+)?")
"""The name of a key that `almanac key rotate` has replaced, and in it that of its successor."""

OPEN_PATHS = ("/", "/docs", "/openapi.json", "/ping", "/health", "/version", "/v2")
OPEN_FOLDERS = ("/health/", "/static/", "/page/", "/v2/health/")
DIALECT_ROUTES = ("forecast", "cross_validation", "anomaly_detection", "online_anomaly_detection", "timeseries")
SCOPES_BY_PATH: Mapping[str, tuple[str, ...]] = {
    "/forecast": ("forecast",),
    "/validate": ("forecast",),
    "/forecasts": ("forecast", "read"),
    "/observations/export": ("read",),
    "/observations/count": ("read", "observe"),
    "/observations": ("record",),
    "/series": ("read",),
    "/accuracy": ("read", "observe"),
    "/models": ("forecast", "observe"),
    "/metrics": ("observe",),
    "/schedules": (),
    "/jobs": (),
    "/v1": ("forecast",),
    "/v2": ("forecast",),
    "/invocations": ("forecast",),
    "/endpoints": ("forecast",),
    "/api/2.0/endpoints": ("forecast",),
    "/model_params": ("forecast",),
    "/usage": ("forecast",),
    "/validate_api_key": SCOPES,
}
"""The scopes of a path and all below it, any of which gives access; `admin` gives access to every path."""
ROUTES_BELOW: Mapping[str, str] = {
    "/forecasts/": "/forecasts/{forecast_id}",
    "/schedules/": "/schedules/{name}",
    "/jobs/": "/jobs/{job_id}",
    "/models/": "/models/{model:path}",
    "/endpoints/": "/endpoints/{model}/invocations",
    "/api/2.0/endpoints/": "/api/2.0/endpoints/{model}",
}


def is_loopback(host: str) -> bool:
    """Return whether a server that binds to `host` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def scopes_for(path: str, method: str = "GET") -> tuple[str, ...] | None:
    """Return the scopes that give access to a path, or None if no key is needed."""
    if method == "DELETE" and path.startswith("/series/"):
        return ("erase", "admin")
    if method == "POST" and path.startswith("/models/"):
        return ("admin",)
    if path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
        return None
    for root, scopes in SCOPES_BY_PATH.items():
        if path == root or path.startswith(root + "/"):
            return (*scopes, "admin")
    return ("admin",)


def protected_route(path: str) -> str | None:
    """Return the route of a protected path, for metrics: a rejected request does not reach the router."""
    if path in SCOPES_BY_PATH:
        return path
    if path.startswith("/series/"):
        return "/series/{series_id:path}/forecast" if path.endswith("/forecast") else "/series/{series_id:path}"
    if path.startswith(("/v1/", "/v2/")):
        return _dialect_route(path)
    if path.startswith("/models/") and (move := path.rpartition("/")[2]) in {"champion", "rollback"}:
        return f"/models/{{name}}/{move}"
    return next((route for root, route in ROUTES_BELOW.items() if path.startswith(root)), None)


def _dialect_route(path: str) -> str:
    """Return the route of a protected path of other clients, without the name of a model."""
    version, place, *rest = path.strip("/").split("/")
    if place == "models" and rest:
        verb = f":{one}" if (one := rest[-1].rpartition(":")[2]) in {"predict", "explain"} else ""
        return f"/{version}/models/{{model}}{verb}" + ("/infer" if rest[-1] == "infer" else "")
    return f"/{version}/{place}" if place in DIALECT_ROUTES else f"/{version}"


class KeyRing:
    """The keys in a file, read again whenever it changes.

    A server that has required keys once always does: if the file becomes unreadable, the last valid keys stay in force; if
    it contains no key any more, every request is rejected.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; raises KeysInvalid if it cannot be read now."""
        self._path = path
        self._text = str(path)
        self._file_state = _fingerprint(self._text)
        self._checked = -CHECK_SECONDS
        self._keys = read_keys(path)
        self.is_required = bool(self._keys)

    def find(self, secret: str) -> Key | None:
        """Return a key, or None if it is unknown; compares with every stored hash in constant time."""
        self.refresh()
        digest = hash_key(secret)
        found: Key | None = None
        for key in self._keys:
            if hmac.compare_digest(digest, key.sha256):
                found = key
        return found

    def has(self, name: str) -> bool:
        """Return whether there is a key of this name."""
        return any(key.name == name for key in self._keys)

    def scopes_of(self, headers: Headers, now: datetime) -> tuple[str, ...]:
        """Return what a request may do: all scopes while no key is required, none for one without a valid key."""
        self.refresh()
        secret = secret_of(headers)
        key = self.find(secret) if secret and self.is_required else None
        if key is None or key.is_expired(now):
            return () if self.is_required else SCOPES
        return key.scopes

    def refresh(self) -> None:
        """Read the file again if it has changed."""
        now = time.monotonic()
        if now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        fingerprint = _fingerprint(self._text)
        if fingerprint == self._file_state:
            return
        self._file_state = fingerprint
        try:
            self._keys = read_keys(self._path)
        except KeysInvalid as error:
            logger.error("keys not reloaded: %s", error)  # noqa: TRY400 (a traceback adds nothing)
            return
        self.is_required = self.is_required or bool(self._keys)


Check = Callable[[Scope], AlmanacError | None]
"""Returns what is wrong with a request, or None."""


class Guard:
    """ASGI middleware: responds with the first error that a check returns, before the body is read."""

    def __init__(self, app: ASGIApp, checks: Sequence[Check]) -> None:
        """Protect `app`."""
        self._app = app
        self._checks = checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            for check in self._checks:
                if (error := check(scope)) is not None:
                    await problem(error)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


class KeyCheck:
    """401 without a known key, 403 without the scope, 429 above the rate."""

    def __init__(self, keys: KeyRing, rates: Rates) -> None:
        """Accept `keys`, and limit how often each of them is used."""
        self._keys = keys
        self._rates = rates

    def __call__(self, scope: Scope) -> AlmanacError | None:
        """Return what is wrong with a request, or None."""
        self._keys.refresh()
        needed = scopes_for(scope["path"], scope["method"])
        if needed is None:
            return None
        if not self._keys.is_required:
            return self._rates.check((scope.get("client") or ("",))[0])
        secret = secret_of(Headers(scope=scope))
        key = self._keys.find(secret) if secret else None
        if key is None:
            return KeyMissing(
                "The request has no API key." if secret is None else "The API key is unknown.",
                hint="Send `Authorization: Bearer KEY` or `X-API-Key: KEY`; `almanac key add` creates a key.",
            )
        if key.expires and key.is_expired(datetime.now(UTC)):
            return self._expired(key)
        if not set(key.scopes) & set(needed):
            return ScopeMissing(
                f"The key has the scopes {', '.join(key.scopes)}; this path needs {' or '.join(needed)}.",
                hint=f"Create a key with `almanac key add --scope {needed[0]}`.",
            )
        scope[CLIENT] = key.name
        return self._rates.check(key.name, key.rate)

    def _expired(self, key: Key) -> KeyMissing:
        """Return the error of a key that has expired; its remedy is its successor, if it has one."""
        match = ROTATED.fullmatch(key.name)
        hint = f"`almanac key rotate {key.name}` gives the key a successor."
        if match and self._keys.has(match[1]):
            hint = f"The key {match[1]} is its successor: send that one."
        return KeyMissing(f"The API key {key.name} expired at {key.expires}.", hint=hint)


def secret_of(headers: Headers) -> str | None:
    """Return the key in a request, or None."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return headers.get("x-api-key") or None


def _fingerprint(path: str) -> tuple[int, ...] | None:
    """Return a value that changes with the file and with who may write it, None if there is no file.

    It is read for nearly each request: `os.stat` of a text takes a third of the time of `Path.stat`.
    """
    try:
        status, folder = os.stat(path), os.stat(os.path.dirname(path) or ".")  # noqa: PTH116, PTH120
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode, status.st_uid, folder.st_mode
