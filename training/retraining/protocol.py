"""The types of a stage, and the JSON lines that its process writes to the worker."""

from collections.abc import Callable, Mapping
from typing import Any

Stage = Callable[..., dict[str, Any]]
"""`stage(desk, *arguments) -> answer`, JSON in and out."""


Tell = Callable[[dict[str, Any]], None]


Say = Callable[[Mapping[str, Any]], None]
