"""Callers: who sends a request, its deadline, and how many requests each client has in progress."""

import math
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from starlette.requests import ClientDisconnect

from service.errors import DeadlinePassed

CLIENT = "almanac.client"
"""Where a request's scope has the name of its API key, if it has one."""
CALLER = "almanac.caller"
"""Where it has the Caller, if it asks for forecasts."""
TRANSPORT = "almanac.transport"
"""Where the state of a request's scope has its connection."""
RUN_DEADLINES = 10
"""So many times its deadline a request may run once it has begun: what was computed for it would be lost, but a client that waits
for hours must not keep the others from their turn. One that hangs up ends its request at once."""
ARRIVED = "almanac.arrived"
"""Is in that state once the whole request has arrived: nothing has to wait for its body then."""


@dataclass(slots=True)
class Caller:
    """The sender of a request.

    Attributes:
        client: The name of its key, or its address.
        is_gone: Returns whether its connection is closed.
        arrived: Time of the monotonic clock at which its body was complete.
        deadline: When it is not begun any more, by the same clock.
        parsed: When its body was parsed, 0 if it was not; so are the next two.
        began: When the networks began to run for it; from then on it has RUN_DEADLINES times as long.
        seconds: How long after its arrival its deadline is.
        done: How many of its series have been forecast.
        ended: When its response was ready.
        model: Name and version of the model that answered.
        series: How many series it asked for.
    """

    client: str = ""
    is_gone: Callable[[], bool] | None = None
    arrived: float = 0.0
    deadline: float = math.inf
    parsed: float = 0.0
    began: float = 0.0
    seconds: float = math.inf
    done: int = 0
    ended: float = 0.0
    model: tuple[str, str] | None = None
    series: int = 0

    def notes(self) -> dict[str, str | int]:
        """Return what logs and traces say about the request."""
        if self.model is None:
            return {}
        return {"model": self.model[0], "version": self.model[1], "series": self.series}

    def start(self, seconds: float) -> None:
        """Start the time until the deadline: the body is complete."""
        self.arrived = time.monotonic()
        self.seconds, self.deadline = seconds, self.arrived + seconds

    @classmethod
    def of(cls, scope: MutableMapping[str, Any]) -> Self:
        """Return the sender of the request with an ASGI scope."""
        transport = (scope.get("state") or {}).get(TRANSPORT)
        client = scope.get(CLIENT) or (scope.get("client") or ("",))[0]
        return cls(client, None if transport is None else transport.is_closing)

    def fault(self) -> Exception | None:
        """Return why no more work on the request need begin, or None: its client is gone, or its time has passed."""
        if self.is_gone is not None and self.is_gone():
            return ClientDisconnect()
        if self.began and time.monotonic() > self.began + RUN_DEADLINES * self.seconds:
            return DeadlinePassed(
                f"The request was ended after {RUN_DEADLINES * self.seconds:g} s: {self.done} of {self.series} series were forecast.",
                hint="Send fewer series at a time, or take the forecasts as they are made (Accept: application/x-ndjson). Or raise "
                f"ALMANAC_DEADLINE_SECONDS: a request that has begun may take {RUN_DEADLINES} times as long.",
            )
        if not self.began and self.deadline < math.inf and time.monotonic() > self.deadline:
            return DeadlinePassed(
                "The request waited until its deadline, and was not begun.",
                hint="Try again later. ALMANAC_DEADLINE_SECONDS sets how long a request may take until it begins.",
            )
        return None

    def check(self) -> None:
        """Raise what `fault` returns."""
        if (fault := self.fault()) is not None:
            raise fault


class Share(NamedTuple):
    """What a client has of the requests in progress.

    Attributes:
        own: Its requests, without the one that is looked at.
        clients: How many clients have any, itself included.
    """

    own: int = 0
    clients: int = 1


class Clients:
    """How many requests each client has in progress."""

    def __init__(self) -> None:
        """Start without any."""
        self._counts: dict[str, int] = {}

    def share(self, client: str, counted: int = 0) -> Share:
        """Return the share of a client that sends another request; `counted` is 1 if `enter` counts that one already."""
        own = self._counts.get(client, 0)
        return Share(max(0, own - counted), len(self._counts) + (own == 0))

    def enter(self, client: str) -> "Entered":
        """Count a request as long as it is in progress."""
        return Entered(self._counts, client)


class Entered:
    """A request of a client while it is in progress; a generator as context manager takes thrice as long."""

    __slots__ = ("_client", "_counts")

    def __init__(self, counts: dict[str, int], client: str) -> None:
        """Count nothing yet."""
        self._counts, self._client = counts, client

    def __enter__(self) -> None:
        """Count it."""
        self._counts[self._client] = self._counts.get(self._client, 0) + 1

    def __exit__(self, *_error: object) -> None:
        """Count it no longer, and forget a client without any."""
        self._counts[self._client] -= 1
        if not self._counts[self._client]:
            del self._counts[self._client]
