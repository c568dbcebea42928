"""What the tests of job commands share: a configuration, and how a command's JSON is read."""

import json
from collections.abc import Callable
from typing import Any

from click.testing import Result

CONFIG = """
data = "sales.csv"
name = "sales"
horizon = 12
[retrain]
drift = 0.4
"""

Run = Callable[..., Result]


def printed_json(result: Result) -> Any:  # noqa: ANN401 (any JSON)
    """Return the JSON that a command printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
