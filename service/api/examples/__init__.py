"""Examples for the OpenAPI document: requests and recorded responses as JSON files, errors from their classes."""

from pathlib import Path
from typing import Any

import orjson

Responses = dict[int | str, dict[str, Any]]
"""OpenAPI's responses of a route, by status."""


def load(topic: str) -> dict[str, Any]:
    """Return the requests and responses of a topic, such as "forecast"."""
    examples: dict[str, Any] = orjson.loads(Path(__file__).with_name(f"{topic}.json").read_bytes())
    return examples
