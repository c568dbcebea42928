"""Recent inputs: several threads record them at the same time."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from service.monitoring.recent_input import WINDOW, keep_newest


def test_two_threads_remove_the_oldest_at_the_same_time() -> None:
    """The blocks of a large request are recorded by each of its threads."""
    inputs: dict[Any, Any] = {}
    interval = sys.getswitchinterval()

    def record(thread: int) -> None:
        for at in range(1_000):
            inputs[thread, at] = at
            keep_newest(inputs)

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(record, range(2)))
    finally:
        sys.setswitchinterval(interval)

    assert len(inputs) == WINDOW
