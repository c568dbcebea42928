"""Registry channel: the requests that the registry process reads from standard input, and its answers on standard output."""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import orjson

Request = dict[str, Any]


def listen(requests: SimpleQueue[Request], wake: threading.Event) -> None:
    """Queue each request from standard input; end the process when it closes, even during a hanging call."""
    for line in sys.stdin.buffer:
        requests.put(orjson.loads(line))
        wake.set()
    os._exit(0)


def answer_to_standard_output() -> Callable[[Request], None]:
    """Return a function that sends a line to the server; what is printed goes to standard error from now on."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send(answer: Request) -> None:
        with suppress(OSError):  # the server has ended
            channel.write(orjson.dumps(answer) + b"\n")

    return send
