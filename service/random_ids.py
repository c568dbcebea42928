"""Random ids: random ids in the form of a UUID of version 4, from random bytes that are read for many of them at once."""

import os
from collections import deque

AT_ONCE = 256
BYTES = 16

_ready: deque[str] = deque()


def new_id() -> str:
    """Return a new id of 32 hexadecimal digits; it is thread-safe, and no forked process repeats one."""
    while True:
        try:
            return _ready.pop()
        except IndexError:
            _ready.extend(_make())


def new_uuid() -> str:
    """Return a new id as `str(uuid4())` writes it."""
    text = new_id()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _make() -> list[str]:
    digits = os.urandom(BYTES * AT_ONCE).hex()
    ids = [digits[at : at + 2 * BYTES] for at in range(0, len(digits), 2 * BYTES)]
    return [f"{one[:12]}4{one[13:16]}{'89ab'[int(one[16], 16) % 4]}{one[17:]}" for one in ids]


os.register_at_fork(after_in_child=_ready.clear)
