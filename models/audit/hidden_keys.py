"""Hidden keys: texts without the API keys that somebody has put into them, for the service's log and the audit log."""

import hashlib
import os
import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path

HIDDEN = "alm_[hidden]"
OWN = re.compile("alm_[A-Za-z0-9_-]{20,}")
"""Our keys, known or not."""
SHORTEST, LONGEST, MOST_SEPARATORS = 20, 512, 16
"""Characters of a key of another form, and those in it that are neither letters nor digits."""
MOST_PARTS = 512
"""So many parts of a text without blanks are hashed, in half a millisecond; one with more is hidden as a whole."""
_RUN = re.compile(rf"[!-~]{{{SHORTEST},}}")
_START, _END = re.compile("(?<![A-Za-z0-9])(?=.)"), re.compile("(?<=.)(?![A-Za-z0-9])")
_NO_KEY = re.compile(rf"(?<=[^A-Za-z0-9]{{{MOST_SEPARATORS}}})[^A-Za-z0-9]+(?=[^A-Za-z0-9]{{{MOST_SEPARATORS}}})")
"""What no key reaches into from either side."""
_DIGEST = re.compile(rb'"sha256":\s*"([0-9a-fA-F]{64})"')


class KnownKeys:
    """The SHA-256 of the keys in a file, read again whenever it changes; the last ones if it cannot be read."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self._path = path
        self._state: tuple[int, ...] = ()
        self._digests: frozenset[str] = frozenset()

    def digests(self) -> frozenset[str]:
        """Return them as hexadecimal digits; none without a file."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 (a third of the time of `Path.stat`)
            state = status.st_mtime_ns, status.st_size, status.st_ino
            if state != self._state:
                found = _DIGEST.findall(self._path.read_bytes())
                self._state, self._digests = state, frozenset(one.decode().lower() for one in found)
        except OSError:
            pass
        return self._digests


def key_file(home: Path, environment: Mapping[str, str]) -> Path:
    """Return the file of the keys: that in ALMANAC_API_KEYS, or the one in ALMANAC_HOME."""
    return Path(environment.get("ALMANAC_API_KEYS") or home / "keys.json").expanduser()


def hide_keys(text: str, known: Collection[str] = ()) -> str:
    """Return a text with a mark in place of each of our keys, and of each key whose SHA-256 is known.

    A key of another form is found if no letter or digit is next to it: what stands between two other characters is hashed.
    """
    for key in set(_find(text, known)) if known else ():
        text = text.replace(key, HIDDEN)
    return OWN.sub(HIDDEN, text)


def _find(text: str, known: Collection[str]) -> Iterator[str]:
    """Yield the keys in a text, and what has so many parts that it is not searched for them."""
    for run in (one for found in _RUN.findall(text) for one in _NO_KEY.split(found)):
        parts = list(islice(_parts(run), MOST_PARTS + 1))
        if len(parts) > MOST_PARTS:
            yield run
        else:
            yield from (part for part in parts if _hash(part) in known)


def _parts(run: str) -> Iterator[str]:
    """Yield what stands between two characters that are neither letters nor digits, and has the length of a key."""
    ends = [match.start() for match in _END.finditer(run)]
    for match in _START.finditer(run):
        start = match.start()
        last = bisect_left(ends, start + 1) + MOST_SEPARATORS + 1
        for end in islice(ends, bisect_left(ends, start + SHORTEST), last):
            if end - start > LONGEST:
                break
            yield run[start:end]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
