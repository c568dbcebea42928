"""Recent input: what a model read of one of the newest histories, and the newest of one version."""

from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from models.calendar.zoned_grid import Frequency, timestamps_from
from models.errors import AlmanacError
from models.series import Series
from models.windows import Floats, last_context
from service.store.scoring.counting import PostedInput

WINDOW = 512
"""Newest inputs of a model that are compared with its training."""
AT_ONCE = 32
"""Requests, or series of one request, that are recorded at once."""
FIRST_CHECK_SECONDS, LAST_CHECK_SECONDS = 5.0, 600.0
"""Time between two checks of an input that is not confirmed; each is twice as long as the one before."""


class HistoryDates(NamedTuple):
    """The dates of a history, as in `Series`."""

    start: np.datetime64 | None
    frequency: Frequency | None
    timezone: str | None
    style: str
    length: int


class RecentInput(NamedTuple):
    """One of the newest inputs.

    Attributes:
        at: When it was recorded, seconds since 1970.
        context: What the model read, shape (context_length,).
        dates: Of its history; None if it is not to be checked: it is confirmed, or has no dates or no id.
        check_at: When to check it.
        pause: Seconds until the next check.
    """

    at: float
    context: Floats
    dates: HistoryDates | None
    check_at: float = 0.0
    pause: float = FIRST_CHECK_SECONDS


Key = tuple[str, bytes]
"""A series' id, and the bytes of the context."""
ModelKey = tuple[str, str]
"""A model's name and version."""


@dataclass(frozen=True, slots=True, eq=False)
class Unconfirmed:
    """An input that is to be checked: of which version and series, and how many steps the version forecasts."""

    model: ModelKey
    key: Key
    input: RecentInput
    horizon: int

    @property
    def series_id(self) -> str:
        """Return the id of its series."""
        return self.key[0]

    def read(self) -> PostedInput | None:
        """Return what the model read as a series, or None if it is none: without values, or outside the calendar."""
        start, frequency, zone, style, length = self.input.dates or (None, None, None, "", 0)
        if start is None or frequency is None:
            return None
        context = self.input.context
        with suppress(AlmanacError):
            first = timestamps_from(start, frequency, 1, zone, skip=length - len(context))[0]
            one = Series(context, id=self.series_id, start=first, frequency=frequency, timezone=zone, style=style)
            return PostedInput(one, self.horizon)
        return None


class Posted(NamedTuple):
    """Histories of one request: when they came, which places have no id, and whether they are stored observations."""

    at: float
    series: Sequence[Series]
    unnamed: AbstractSet[int]
    from_store: bool


class NewestInputs:
    """The newest inputs of one version, and the newest that are confirmed; each at most WINDOW."""

    def __init__(self, context_length: int) -> None:
        """Nothing is recorded yet; the version reads `context_length` values."""
        self._context_length = context_length
        self._posted: deque[Posted] = deque()
        self.newest: dict[Key, RecentInput] = {}
        self.confirmed: dict[Key, RecentInput] = {}

    def post(self, histories: Posted) -> None:
        """Record the histories of a request, AT_ONCE requests at a time."""
        self._posted.append(histories)
        if len(self._posted) >= AT_ONCE or len(histories.series) > AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """Add what was posted."""
        while True:
            try:
                posted = self._posted.popleft()
            except IndexError:
                break  # none is left: another thread may have taken the last one
            self._add_posted(posted)
        keep_newest(self.newest)
        keep_newest(self.confirmed)

    def _add_posted(self, posted: Posted) -> None:
        for place, one in enumerate(islice(posted.series, WINDOW)):
            context = last_context(one.values, self._context_length)
            is_dated = one.start is not None and place not in posted.unnamed and not posted.from_store
            dates = (
                HistoryDates(one.start, one.frequency, one.timezone, one.style, len(one.values)) if is_dated else None
            )
            self.add((one.id, context.tobytes()), RecentInput(posted.at, context, dates), from_store=posted.from_store)

    def add(self, key: Key, one: RecentInput, *, from_store: bool) -> None:
        """Add an input, or replace the equal one; one that is confirmed stays so."""
        if from_store:
            self.confirmed[key] = one
        elif (known := self.confirmed.get(key)) is not None:
            self.confirmed[key] = known._replace(at=one.at)
            one = one._replace(dates=None)
        elif (before := self.newest.get(key)) is not None:
            one = one._replace(check_at=before.check_at, pause=before.pause)
        self.newest[key] = one

    def confirm(self, key: Key, stored: Floats) -> None:
        """Count an input as confirmed, with the stored values in place of those of the request."""
        if (one := self.newest.get(key)) is not None:
            self.newest[key] = one = one._replace(dates=None)
            self.confirmed[key] = one._replace(context=stored)
            keep_newest(self.confirmed)

    def postpone(self, key: Key, now: float) -> None:
        """Check an input later."""
        if (one := self.newest.get(key)) is not None:
            pause = min(2 * one.pause, LAST_CHECK_SECONDS)
            self.newest[key] = one._replace(check_at=now + one.pause, pause=pause)

    def all(self) -> Mapping[Key, RecentInput]:
        """Return both; what is confirmed has the stored values."""
        return self.newest | self.confirmed


def keep_newest(inputs: dict[Key, RecentInput]) -> None:
    """Remove the inputs that were added first, so that WINDOW are left."""
    keys = list(inputs)  # at once: another thread may add some
    for oldest in keys[: max(0, len(keys) - WINDOW)]:
        inputs.pop(oldest, None)
