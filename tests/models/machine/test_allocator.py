"""The allocator keeps freed memory where the C library is glibc."""

import platform
import resource
import subprocess
import sys

import numpy as np
import pytest

from models.machine.allocator import keep_freed_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="Other C libraries have no mallopt.")

THREADS = """
import ctypes, sys, threading
from models.machine.allocator import use_one_arena
if sys.argv[1] == "one":
    assert use_one_arena()
malloc = ctypes.CDLL(None).malloc
malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
arenas = []
for _ in range(4):
    thread = threading.Thread(target=lambda: arenas.append(malloc(3_000) >> 26))  # an arena of a thread is 64 MiB
    thread.start(); thread.join()
print(malloc(3_000) >> 26 in arenas)
"""


def test_arrays_that_are_made_again_cost_no_page_faults() -> None:
    """Of arrays of 8 MB, made and freed time after time, only the first touches new pages."""
    assert keep_freed_memory()
    np.ones(1_000_000)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(1_000_000)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 2000


@pytest.mark.parametrize(("arenas", "is_shared"), [("one", "True"), ("many", "False")])
def test_threads_allocate_in_one_arena(arenas: str, is_shared: str) -> None:
    """Without that each has one of its own."""
    command = [sys.executable, "-c", THREADS, arenas]

    assert subprocess.check_output(command, text=True).strip() == is_shared  # noqa: S603 (ours)
