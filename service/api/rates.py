"""Rates: how many requests a client may send in a time, by its key or its address."""

import math
import time
from typing import TYPE_CHECKING

from service.errors import RateExceeded

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import SlidingWindowCounterRateLimiter


class Rates:
    """Counts the requests of clients that have a rate; `limits` is imported with the first of them."""

    def __init__(self, default: str | None) -> None:
        """Count nothing yet; `default` is the rate of clients without one of their own, such as `100/second`."""
        self._default = default
        self._limiter: SlidingWindowCounterRateLimiter | None = None
        self._items: dict[str, RateLimitItem] = {}

    def check(self, client: str, rate: str = "") -> RateExceeded | None:
        """Count a request, or return the error if its client has sent too many."""
        text = rate or self._default
        if not text:
            return None
        limiter, item = self._limiter or self._start(), self._items.get(text)
        if item is None:
            from limits import parse

            item = self._items[text] = parse(text)
        if limiter.hit(item, client):
            return None
        seconds = max(1, math.ceil(limiter.get_window_stats(item, client).reset_time - time.time()))
        return RateExceeded(
            f"More than {item} requests were sent with this key or from this address.",
            hint=f"Try again in {seconds} s. `almanac key add --rate` and ALMANAC_RATE set rates.",
            retry_after=seconds,
        )

    def _start(self) -> "SlidingWindowCounterRateLimiter":
        from limits.storage import MemoryStorage
        from limits.strategies import SlidingWindowCounterRateLimiter

        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        return self._limiter
