"""GET /: the page that people look at, its files, and what their key may do."""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.http import json_response
from service.api.state import service_of
from service.errors import KeyMissing
from service.problems import problem
from service.settings import Settings

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parents[2] / "page"
INDEX = "index.html"
TYPES: Mapping[str, str] = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
CHART_FILES: Mapping[str, str] = {"uplot.js": "uplot.iife.min.js", "uplot.css": "uplot.min.css"}
"""The charting library: its names here, and in the package that carries it."""
CHART_PACKAGE = "youplot"
KSERVE_AGENT = "python-httpx/"
SMALL_TABLE = b"date,value\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n"

HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}
"""`no-cache` lets the browser keep a file and ask whether it has changed: after an upgrade no file is an old one."""
KEPT = "public, max-age=31536000, immutable"
"""For a file whose address names its release: the second visit asks for the page alone."""


@router.api_route("/", methods=["GET", "HEAD"])
async def index(request: Request) -> Response:
    """Return the page; to KServe's client of version 1, which asks here whether the server is live, that it is."""
    asked = request.headers
    if asked.get("accept") == "*/*" and asked.get("user-agent", "").startswith(KSERVE_AGENT):
        return json_response({"status": "alive"}, headers={"vary": "accept, user-agent"})
    path, release = FOLDER / INDEX, find_release()
    content, _ = _read(path, path.stat().st_mtime_ns)
    return _send(request, content.replace(b'="page/', f'="page/{release}/'.encode()), f'W/"{release}"', INDEX)


@router.get("/page/session")
async def session(request: Request) -> Response:
    """Return the scopes of the request's key, all of them while no keys are set; 401 for a key that is missing or unknown."""
    keys = request.app.state.keys
    scopes = keys.scopes_of(request.headers, datetime.now(UTC))
    if not scopes:
        return problem(KeyMissing("The key is missing, unknown or expired.", hint="`almanac key add` creates a key."))
    settings = service_of(request).settings
    request.app.state.warming = asyncio.get_running_loop().run_in_executor(None, warm, settings)
    members: dict[str, Any] = {
        "keys": keys.is_required,
        "scopes": scopes,
        "version": request.app.version,
        "max_horizon": settings.max_horizon,
        "max_body_bytes": settings.max_body_bytes,
    }
    return json_response(members, headers={"cache-control": "no-store"})


@router.api_route("/page/{name}", methods=["GET", "HEAD"])
async def file(request: Request, name: str) -> Response:
    """Return one of the page's files, or 404."""
    return _file_response(request, name)


@router.api_route("/page/{release}/{name}", methods=["GET", "HEAD"])
async def released_file(request: Request, release: str, name: str) -> Response:
    """Return one of the page's files, or 404; of another release than this one it is not kept."""
    response = _file_response(request, name)
    if release == _release_at_start():
        response.headers["cache-control"] = KEPT
    return response


@cache
def warm(settings: Settings) -> None:
    """Load what reads files, a second of imports: the person who has opened the page will soon paste or drop something."""
    from service.api.table_input import parse_table

    parse_table(SMALL_TABLE, "text/csv", {}, settings)


def _file_response(request: Request, name: str) -> Response:
    found = read_page_file(name)
    if found is None:
        raise HTTPException(404)
    return _send(request, *found, name)


def _send(request: Request, content: bytes, tag: str, name: str) -> Response:
    headers = {**HEADERS, "etag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=TYPES[Path(name).suffix])


@cache
def _release_at_start() -> str:
    """Return the release when a file was first asked for: if somebody edits files, those after it are not kept."""
    return find_release()


def find_release() -> str:
    """Return what identifies the files of the page together: it changes when one of them does."""
    names = (*CHART_FILES, *sorted(path.name for path in FOLDER.iterdir()))
    tags = [found[1] for found in map(read_page_file, names) if found is not None]
    return hashlib.sha256("".join(tags).encode()).hexdigest()[:12]


def read_page_file(name: str) -> tuple[bytes, str] | None:
    """Return the content of a file of the page and its ETag; None if there is no such file."""
    path = _find(name)
    if path is None or not path.is_file():
        return None
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int) -> tuple[bytes, str]:
    content = path.read_bytes()
    return content, f'W/"{hashlib.sha256(content).hexdigest()[:16]}"'


def _find(name: str) -> Path | None:
    """Return the path of a file, None if its name is not one of a page's file."""
    if name in CHART_FILES:
        package = find_spec(CHART_PACKAGE)  # not imported: only its files are used
        return None if package is None or package.origin is None else _chart_file(package.origin, name)
    is_ours = Path(name).suffix in TYPES and "/" not in name and not name.startswith(".")
    return FOLDER / name if is_ours else None


def _chart_file(origin: str, name: str) -> Path:
    return Path(origin).parent / "vendor" / CHART_FILES[name]
