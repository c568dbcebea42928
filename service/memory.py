"""Memory: refuses work for which `ulimit -v` leaves no room, before it begins.

A library in Rust, such as the parser of JSON, ends the whole process when it gets no memory; Python and NumPy raise MemoryError.
"""

import os
import resource
from pathlib import Path

BODY_BYTES = 12
"""Memory for each byte of a body: `1.5,` is 8 bytes of a list and 24 of a float, while lists that grow are copied."""
NUMBER_BYTES = 60
"""Memory for each number of a response: 8 bytes in an array, which is copied, and about 20 as text, in a buffer that doubles."""
SPARE_BYTES = 16 << 20
"""What is left for other requests."""
UNCHECKED_BYTES = 1 << 20
"""Less than this is not checked."""
STATM = Path("/proc/self/statm")


def check_memory(needed: int) -> None:
    """Raise MemoryError if the process must not take so many bytes more; without a limit it may."""
    if needed < UNCHECKED_BYTES:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and _taken() + needed + SPARE_BYTES > limit:
        raise MemoryError


def _taken() -> int:
    """Return the bytes of the process's address space; 0 if the system does not tell."""
    try:
        return int(STATM.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
