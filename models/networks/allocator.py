"""Allocator: freed memory stays in the process, so that each training step does not ask the system for all of it again.

glibc maps every large array anew and unmaps it when it is freed; the system then fills each page with zeros at its first use.
A training step makes and frees the same arrays each time.

Source: mallopt(3), Linux man-pages.
"""

import ctypes
from functools import cache

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""Parameters of `mallopt`: free memory at the top that is given back, what is asked for beside, arrays that are mapped alone."""

NEVER = 2**31 - 1
PAD = 64 * 2**20


@cache
def keep_freed_memory() -> bool:
    """Return whether the C library keeps freed memory from now on: glibc does, others do what they do."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all([mallopt(TRIM_THRESHOLD, NEVER), mallopt(TOP_PAD, PAD), mallopt(MMAP_THRESHOLD, NEVER)])
