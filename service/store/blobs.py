"""Blobs: arrays as the tables store them, little-endian: float64 for numbers, int64 microseconds for times."""

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import Timestamps

Floats = NDArray[np.float64]


def encode_floats(numbers: Floats) -> bytes:
    """Return numbers of any shape as a blob, in C order."""
    return np.ascontiguousarray(numbers, dtype="<f8").tobytes()


def decode_floats(blob: bytes) -> Floats:
    """Return the numbers of a blob, shape (length,)."""
    return np.frombuffer(blob, "<f8")


def encode_times(times: Timestamps) -> bytes:
    """Return times as a blob."""
    return microseconds(times).astype("<i8", copy=False).tobytes()


def decode_times(blob: bytes) -> Timestamps:
    """Return the times of a blob, datetime64[us], shape (length,)."""
    return np.frombuffer(blob, "<i8").astype("M8[us]")


def microseconds(times: Timestamps) -> NDArray[np.int64]:
    """Return times as microseconds since 1970, same shape."""
    return times.astype("M8[us]", copy=False).view(np.int64)
