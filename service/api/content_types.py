"""Content types: which format a forecast request is in, and which one its response has."""

import re
from collections.abc import Mapping

from service.api.compression import parse_weights
from service.errors import NotAcceptable

JSON, NDJSON, PARQUET, ARROW_STREAM, ARROW_FILE = (
    "application/json",
    "application/x-ndjson",
    "application/vnd.apache.parquet",
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.arrow.file",
)
FORMATS = (JSON, NDJSON, PARQUET, ARROW_STREAM, ARROW_FILE)
BULK_TYPES: Mapping[str, str] = {
    NDJSON: NDJSON,
    "application/ndjson": NDJSON,
    "application/jsonl": NDJSON,
    "application/x-jsonlines": NDJSON,
    PARQUET: PARQUET,
    "application/parquet": PARQUET,
    "application/x-parquet": PARQUET,
    ARROW_STREAM: ARROW_STREAM,
    "application/x-apache-arrow-stream": ARROW_STREAM,
    ARROW_FILE: ARROW_FILE,
    "application/x-apache-arrow-file": ARROW_FILE,
}
"""Media types of forecasts beside JSON, with the format that each means."""
JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json")


def format_of(content_type: str) -> str:
    """Return the format of a body; JSON for every type that is not in BULK_TYPES."""
    return BULK_TYPES.get(content_type.partition(";")[0].strip().lower(), JSON)


def choose_format(accept: str | None, sent: str) -> str:
    """Return the format of a response: the most wanted one of an Accept header, that of the request among equals.

    Raises:
        NotAcceptable: If no format is accepted.
    """
    if accept is None or accept.strip() in {"", "*/*"}:
        return sent
    weights = parse_weights(accept)
    ranked = sorted(FORMATS, key=lambda one: (_weight(one, weights), one == sent), reverse=True)
    if _weight(ranked[0], weights) <= 0:
        raise NotAcceptable(
            f"The Accept header asks for {accept[:80]!r}, which is not made here.",
            hint=f"Accept {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.",
        )
    return ranked[0]


def _weight(one: str, weights: Mapping[str, float]) -> float:
    """Return how much a format is wanted: the most specific name decides, as in RFC 9110."""
    named = [
        weight
        for name, weight in weights.items()
        if BULK_TYPES.get(name, JSON if JSON_TYPE.fullmatch(name) else None) == one
    ]
    return max(named) if named else weights.get("application/*", weights.get("*/*", 0.0))
