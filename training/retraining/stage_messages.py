"""Stage messages: the types of a stage, and the JSON lines that its process writes to the worker."""

from collections.abc import Callable, Mapping
from typing import Any

Stage = Callable[..., dict[str, Any]]
"""`stage(job, *arguments)` returns its result; both are JSON."""


OnEvent = Callable[[dict[str, Any]], None]
"""Takes the progress of a stage as JSON."""


WriteLine = Callable[[Mapping[str, Any]], None]
"""Writes one line of JSON to the worker."""
