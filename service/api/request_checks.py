"""Request checks: the middleware that refuses requests of other sites, before a key is checked or a body is read.

Without keys the service trusts every program on this machine, but not the pages in its browsers. A page of another site
reaches it in three ways: with a form or a simple fetch (its Content-Type is not JSON, its Origin is not ours), and with a
name of its own that resolves to this machine (DNS rebinding: its Host is not ours).
"""

from collections import Counter
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from models.errors import AlmanacError
from models.json_values import json_pointer
from service.api.allowed_hosts import AllowedHosts, without_port
from service.api.content_types import BULK_TYPES, FORMATS, JSON_TYPE
from service.api.security import KeyRing
from service.errors import FieldInvalid, HostMissing, HostUnknown, OriginForeign, TypeUnsupported
from service.json_input import describe_value

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods that change something, or cost something."""

FORM = "application/x-www-form-urlencoded"
"""What `curl -d` sends."""
FILE_TYPES = frozenset(
    {
        "text/csv",
        "application/csv",
        "application/octet-stream",
        "application/parquet",
        "application/vnd.apache.parquet",
        "application/x-parquet",
    }
)
OBSERVATIONS, FORECAST, VALIDATE, INVOCATIONS, INFER = (
    "/observations",
    "/forecast",
    "/validate",
    "/invocations",
    "/infer",
)
TABLE_TYPES = frozenset({"text/csv", "application/vnd.apache.parquet"})
TENSORS = "/v2/"
"""Start of the paths of the Open Inference Protocol, whose clients send no media type."""
TENSOR_TYPE = "application/octet-stream"
READ_TYPES = {
    OBSERVATIONS: "application/json, text/csv or application/vnd.apache.parquet",
    VALIDATE: "application/json, text/csv or application/vnd.apache.parquet",
    FORECAST: f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}",
    INVOCATIONS: "application/json, text/csv or application/vnd.apache.parquet",
}

_PAGE = frozenset({b"origin", b"sec-fetch-site"})
DEFAULT_PORTS = {"http": 80, "https": 443}


class RequestChecks:
    """Refuse wrong hosts, pages of other sites, types of body that no route reads, and repeated parameters."""

    def __init__(self, hosts: AllowedHosts, keys: KeyRing) -> None:
        """Check pages while there are no `keys`: a page cannot send a key that it does not know."""
        self._hosts = hosts
        self._keys = keys
        self._is_ours = lru_cache(maxsize=64)(
            lambda host: bool(host.strip()) and without_port(host.decode("latin-1")) in hosts
        )

    def __call__(self, scope: Scope) -> AlmanacError | None:
        """Return what is wrong with a request, or None."""
        return None if self._is_plain(scope) else self._find(scope)

    def _is_plain(self, scope: Scope) -> bool:
        """Return whether one look shows that a request passes: no page, no header or parameter twice, JSON or no body."""
        sent = scope["headers"]
        fields = dict(sent)
        media = fields.get(b"content-type")
        return (
            len(fields) == len(sent)
            and _PAGE.isdisjoint(fields)
            and b"&" not in scope["query_string"]
            and (media == b"application/json" if media else scope["method"] not in CHANGING)
            and self._is_ours(fields.get(b"host", b""))
        )

    def _find(self, scope: Scope) -> AlmanacError | None:
        headers = Headers(scope=scope)
        error = self._check_host(headers.getlist("host"))
        if error is None and not self._keys.is_required:
            error = _check_page(headers, scope["method"])
        if error is None and scope["method"] in CHANGING:
            error = _check_type(headers, scope["path"])
        if error is None and b"&" in scope["query_string"]:
            error = _check_parameters(scope["query_string"])
        return error

    def _check_host(self, sent: list[str]) -> AlmanacError | None:
        if len(sent) != 1 or not sent[0].strip():
            return HostMissing(
                f"The request has {len(sent) or 'no'} Host header{'s' if len(sent) > 1 else ''}."
                if len(sent) != 1
                else "The Host header is empty.",
                hint="Send one Host header with the name of this service.",
            )
        if without_port(sent[0]) in self._hosts:
            return None
        return HostUnknown(
            f"The service does not answer to the Host {describe_value(sent[0])}.",
            hint="Use localhost, or add the name to ALMANAC_ALLOWED_HOSTS and restart the service.",
        )


def _check_page(headers: Headers, method: str) -> AlmanacError | None:
    """Return the error of a request that a browser sends for a page of another site; a link to this service is none."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_link = method in {"GET", "HEAD"} and headers.get("sec-fetch-mode") == "navigate"
    if site in {"cross-site", "same-site"} and not is_link:
        received = f"Sec-Fetch-Site is {site}"
    elif origin is not None and not _is_same(origin, headers["host"]):
        received = f"The Origin {describe_value(origin)} is not this service"
    else:
        return None
    return OriginForeign(
        f"{received}: a page of another site sends this request.",
        hint="Send it from a program, or from a page of this service. With API keys (`almanac key add`) other pages may send "
        "requests through a proxy that allows them.",
    )


def _check_type(headers: Headers, path: str) -> AlmanacError | None:
    """Return the error of a Content-Type that the route does not read, or of a body without one."""
    sent = [value.partition(";")[0].strip().lower() for value in headers.getlist("content-type")]
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if sent and all(_is_read(media, path, is_page="origin" in headers) for media in sent):
        return None
    if not sent and (not has_body or path == FORECAST or path.startswith(TENSORS)):
        return None
    types = READ_TYPES.get(path, "application/json")
    return TypeUnsupported(
        f"The Content-Type is {describe_value(', '.join(sent))}." if sent else "The request has no Content-Type.",
        hint=f"Send {types}; with curl use --json instead of --data.",
    )


def _is_read(media: str, path: str, *, is_page: bool) -> bool:
    """Return whether a route reads a media type; forecasts also accept that of `curl -d`, except from a page's form."""
    if JSON_TYPE.fullmatch(media):
        return True
    if path == FORECAST:
        return media in BULK_TYPES or (media == FORM and not is_page)
    if path.endswith(INVOCATIONS):
        return media in TABLE_TYPES
    if _is_inference(path):
        return media == TENSOR_TYPE
    return path in {OBSERVATIONS, VALIDATE} and media in FILE_TYPES


def _is_inference(path: str) -> bool:
    """Return whether a path takes tensors."""
    return path.startswith(TENSORS) and path.endswith(INFER)


def _check_parameters(query: bytes) -> AlmanacError | None:
    """Return the error of the first query parameter that is sent twice: only one of the values would count."""
    counts = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    for name, count in counts.items():
        if count > 1:
            return FieldInvalid(
                f"The query has {describe_value(name)} {count} times.", pointer=json_pointer(name), hint="Send it once."
            )
    return None


def _is_same(origin: str, host: str) -> bool:
    """Return whether an Origin is the site of a Host: same name and port, whichever scheme a proxy in front has."""
    try:
        page = urlsplit(origin)
        ours = urlsplit(f"{page.scheme}://{host}")
        default = DEFAULT_PORTS.get(page.scheme)
        return bool(page.hostname) and (page.hostname, page.port or default) == (ours.hostname, ours.port or default)
    except ValueError:
        return False
