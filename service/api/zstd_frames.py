"""Zstd frames: what the frames of a body need to be unpacked, read from their headers (RFC 8878) before any is unpacked.

The decoder keeps as much of the content as a frame's window says, up to 128 MiB for a body of twenty bytes.
"""

import struct

MAX_WINDOW = 8 * 1024 * 1024
"""Largest window that is read, as RFC 8878 recommends; levels up to 19 need no larger one."""
MOST_BLOCKS = 50_000
"""Most blocks and frames of a body; a block has up to 128 KiB."""
MAGIC, SKIPPABLE = 0xFD2FB528, 0x184D2A50
_SINGLE, _CHECKSUM, _DICTIONARY = 0x20, 0x04, 0x03
_RLE = 1


def check_frames(body: bytes) -> None:
    """Raise EOFError if a body is not whole frames, has too many parts, or a frame needs a window above MAX_WINDOW."""
    place = parts = 0
    try:
        while place < len(body):
            place, blocks = _skip_frame(body, place, MOST_BLOCKS - parts)
            parts += 1 + blocks
            if parts > MOST_BLOCKS:
                raise EOFError(f"it has more than {MOST_BLOCKS} parts")
    except (struct.error, IndexError) as error:
        raise EOFError("it ends too early") from error
    if place > len(body) or not parts:
        raise EOFError("it ends too early" if parts else "it is empty")


def _skip_frame(body: bytes, place: int, most: int) -> tuple[int, int]:
    """Return where the frame at a place ends, and how many blocks it has; stops after `most`."""
    (magic,) = struct.unpack_from("<I", body, place)
    if magic & ~0xF == SKIPPABLE:
        return place + 8 + int(struct.unpack_from("<I", body, place + 4)[0]), 0
    if magic != MAGIC:
        raise EOFError("it is not a frame of zstd")
    flags = body[place + 4]
    place = _skip_header(body, place + 5, flags)
    blocks, last = 0, False
    while not last and blocks <= most:
        header = int.from_bytes(body[place : place + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        place += 3 + (1 if kind == _RLE else size)
        blocks += 1
        if place > len(body):
            raise EOFError("it ends too early")
    return place + (4 if flags & _CHECKSUM else 0), blocks


def _skip_header(body: bytes, place: int, flags: int) -> int:
    """Return where a frame's first block begins; `place` is that of what follows its flags."""
    content = flags >> 6
    if flags & _SINGLE:
        window = 0
    else:
        exponent, mantissa = body[place] >> 3, body[place] & 7
        window, place = (1 << 10 + exponent) * (8 + mantissa) // 8, place + 1
    place += (0, 1, 2, 4)[flags & _DICTIONARY]
    size = (1 if flags & _SINGLE else 0, 2, 4, 8)[content]
    if flags & _SINGLE:
        window = int.from_bytes(body[place : place + size], "little") + (256 if content == 1 else 0)
    if window > MAX_WINDOW:
        raise EOFError(f"a frame needs a window of {window:,} bytes, at most {MAX_WINDOW:,} are read")
    return place + size
