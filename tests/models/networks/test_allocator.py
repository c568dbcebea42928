"""The allocator keeps freed memory where the C library is glibc."""

import platform
import resource

import numpy as np
import pytest

from models.networks.allocator import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="Other C libraries have no mallopt.")
def test_arrays_that_are_made_again_cost_no_page_faults() -> None:
    """Of arrays of 8 MB, made and freed time after time, only the first touches new pages."""
    assert keep_freed_memory()
    np.ones(1_000_000)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(1_000_000)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 2000
