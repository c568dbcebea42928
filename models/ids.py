"""Ids: how the id of a series is read, the same in files, requests and addresses."""

import re
import unicodedata

BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029"
    "\u202f\u205f\u3000\u200b\ufeff"
)
"""What `str.isspace` is true of, the space without a width and the byte order mark."""


def plain_id(text: str) -> str:
    """Return an id without blanks at its ends, in Unicode's composed form (NFC); "" if it is nothing but blanks.

    So an id is the same series whichever keyboard, file or program wrote it.
    """
    trimmed = text.strip(BLANKS)
    return trimmed if trimmed.isascii() else unicodedata.normalize("NFC", trimmed)


DOT_SEGMENTS = frozenset({".", ".."})
"""No ids: browsers and HTTP clients take them out of an address, so nobody could ask for the series (RFC 3986, 5.2.4)."""
DOTS_HINT = "Give the series another id: `.` and `..` have no address of their own in the API."

MAX_ID_LENGTH = 256
FORECAST = "/forecast"
"""No id ends so: its address would be that of another series' forecast."""
ID_HINT = f"Send text of 1 to {MAX_ID_LENGTH} characters, not only blanks, without control characters and without {FORECAST} at the end."
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of surrogate pairs, which no file and no database has."""


def is_id(name: str) -> bool:
    """Return whether a plain id, which is not empty, may be the id of a series in the API; `id_hint` says what may."""
    refused = len(name) > MAX_ID_LENGTH or _CONTROL.search(name) or name.endswith(FORECAST) or name in DOT_SEGMENTS
    return not refused


def id_hint(name: str) -> str:
    """Return what to send in place of a plain id that is refused."""
    return DOTS_HINT if name in DOT_SEGMENTS else ID_HINT
