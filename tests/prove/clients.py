"""Clients that request forecasts without pause while a proof does something to the servers."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.system.programs import ask


@dataclass(slots=True)
class Responses:
    """What the clients received.

    Attributes:
        statuses: Count of each status, and of each exception by its name.
        versions: Count of the model versions in the responses.
        seconds: Time that each response took.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def request(self, address: str, horizon: int) -> None:
        """Send one request."""
        began = time.perf_counter()
        try:
            response = ask(address, horizon=horizon)
        except httpx.HTTPError as error:
            self.statuses[type(error).__name__] += 1
            return
        self.seconds.append(time.perf_counter() - began)
        self.statuses[str(response.status_code)] += 1
        self.versions[response.json().get("model", {}).get("version", "none")] += 1


@contextmanager
def clients(address: str, count: int, horizon: int = 12) -> Iterator[Responses]:
    """Run `count` clients in threads during the block, and yield what they receive."""
    responses, done = Responses(), threading.Event()

    def client() -> None:
        while not done.is_set():
            responses.request(address, horizon)

    threads = [threading.Thread(target=client) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield responses
    finally:
        done.set()
        for thread in threads:
            thread.join()
