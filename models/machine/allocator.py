"""Allocator: how glibc keeps freed memory, for a training and for a service; other C libraries do what they do.

Source: mallopt(3), Linux man-pages.
"""

import ctypes
from functools import cache

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, ARENA_MAX = -1, -2, -3, -8
"""Parameters of `mallopt`: free memory at the top that is given back, what is asked for beside, arrays that are mapped alone,
and in how many arenas threads allocate."""

NEVER = 2**31 - 1
PAD = 64 * 2**20


@cache
def keep_freed_memory() -> bool:
    """Let freed memory stay in the process, and return whether the C library does that.

    Otherwise it maps every large array anew and unmaps it when it is freed; the system then fills each page with zeros at its
    first use. A training step makes and frees the same arrays each time.
    """
    return _set({TRIM_THRESHOLD: NEVER, TOP_PAD: PAD, MMAP_THRESHOLD: NEVER})


@cache
def use_one_arena() -> bool:
    """Let all threads allocate in one arena, and return whether the C library does that; called before they begin.

    Each arena keeps what is freed in it. Over 60,000 forecasts a service grew from 160 to 174 MiB with the arenas that threads have
    by default, and from 155 to 158 MiB with one.
    """
    return _set({ARENA_MAX: 1})


def _set(parameters: dict[int, int]) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    done = [mallopt(name, value) for name, value in parameters.items()]
    return all(done)
