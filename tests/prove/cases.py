"""Cases: odd and broken bodies of POST /forecast, the same for the same seed."""

import json
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

FREQUENCIES = [
    "M",
    "ME",
    "MS",
    "monthly",
    "D",
    "h",
    "H",
    "W-SUN",
    "Q",
    "B",
    "Y",
    "2M",
    "15min",
    "",
    "fortnightly",
    "é",
    "0D",
    "-1M",
]
STARTS = ["1939-01", "1939-01-31", "1939", "1939-13", "", "yesterday", "0000-01", "9999-12", "99999-01", "1939-01-01T00:00:00Z",
          "1939-01-01T00:00:00+25:00", "2020-02-30", "\u0661\u0669\u0663\u0669-\u0660\u0661", "1939-01\x00", " 1939-01 "]  # fmt: skip
JUNK: list[Any] = [None, True, False, 0, -1, 1, 1.5, 10**400, -(10**400), 1e308, 5e-324, "", "1", "NaN", [], [[]], {}, {"a": 1}, "💥", "\x00",
                   "x" * 5000, [None] * 50, math.nan, math.inf, -math.inf]  # fmt: skip
MODELS = [
    "temperatures",
    "temperatures@champion",
    "temperatures/1",
    "temperatures/999",
    "nobody",
    "@",
    "/",
    "a" * 3000,
    "../../etc",
    "temperatures@",
]
TIMEZONES = ["Europe/Berlin", "UTC", "Mars/Olympus", "../../etc/passwd", "", "America/New_York"]

Change = Callable[[random.Random, dict[str, Any]], None]


def bodies(seed: int, count: int) -> Iterator[bytes]:
    """Yield `count` bodies: most are JSON with something odd in it, some are not JSON."""
    chance = random.Random(seed)  # noqa: S311 reproducible, not secret
    for _ in range(count):
        request = valid(chance)
        for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
            chance.choice(CHANGES)(chance, request)
        body = json.dumps(request, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        yield damaged(chance, body) if chance.random() < 0.15 else body


def valid(chance: random.Random) -> dict[str, Any]:
    """Return a valid request."""
    series = [
        {
            "id": f"s{i}",
            "start": "1990-01",
            "frequency": "M",
            "values": values(chance, chance.choice([1, 2, 5, 24, 60, 200])),
        }
        for i in range(chance.choice([1, 1, 1, 2, 5]))
    ]
    return {"series": series, "horizon": chance.choice([1, 3, 12, 24])}


def values(chance: random.Random, count: int) -> list[float | None]:
    """Return values of a random scale, with or without gaps."""
    scale = 10.0 ** chance.randint(-12, 12)
    level = chance.choice([0.0, 1.0, -1.0, 1e9]) * scale
    gaps = chance.choice([0.0, 0.0, 0.2, 0.95])
    return [None if chance.random() < gaps else level + scale * chance.gauss(0, 1) for _ in range(count)]


def damaged(chance: random.Random, body: bytes) -> bytes:
    """Return a body that is cut, changed, doubled or replaced."""
    place = chance.randrange(len(body) + 1)
    return chance.choice(
        [
            body[:place],
            body[:place] + bytes([chance.randrange(256)]) + body[place + 1 :],
            body[:place] + chance.randbytes(8) + body[place:],
            body + body,
            b"\xef\xbb\xbf" + body,
            b"[" * 5000,
            b"",
            chance.randbytes(chance.randrange(200)),
            body.replace(b'"values"', b'"values": [1], "values"'),
        ]
    )


def _put_junk_at_top(chance: random.Random, request: dict[str, Any]) -> None:
    request[chance.choice(["series", "horizon", "levels", "quantiles", "model", "colour"])] = chance.choice(JUNK)


def _put_junk_in_series(chance: random.Random, request: dict[str, Any]) -> None:
    entry = _some_series(chance, request)
    entry[chance.choice(["id", "start", "frequency", "timestamps", "timezone", "values", "colour"])] = chance.choice(
        JUNK
    )


def _put_junk_in_values(chance: random.Random, request: dict[str, Any]) -> None:
    entry = _some_series(chance, request)
    if isinstance(entry.get("values"), list) and entry["values"]:
        entry["values"][chance.randrange(len(entry["values"]))] = chance.choice(JUNK)


def _replace_a_series(chance: random.Random, request: dict[str, Any]) -> None:
    if isinstance(request.get("series"), list) and request["series"]:
        request["series"][chance.randrange(len(request["series"]))] = chance.choice(JUNK)


def _drop_a_field(chance: random.Random, request: dict[str, Any]) -> None:
    target = chance.choice([request, _some_series(chance, request)])
    if target:
        target.pop(chance.choice(list(target)))


def _change_the_dates(chance: random.Random, request: dict[str, Any]) -> None:
    entry = _some_series(chance, request)
    entry["start"], entry["frequency"] = chance.choice(STARTS), chance.choice(FREQUENCIES)
    if chance.random() < 0.3:
        entry["timezone"] = chance.choice(TIMEZONES)


def _send_timestamps(chance: random.Random, request: dict[str, Any]) -> None:
    entry = _some_series(chance, request)
    count = len(entry["values"]) if isinstance(entry.get("values"), list) else 3
    stamps = [f"{1990 + i // 12}-{i % 12 + 1:02d}" for i in range(count)]
    if stamps and chance.random() < 0.6:
        stamps[chance.randrange(len(stamps))] = chance.choice([*STARTS, *stamps])
    if chance.random() < 0.7:
        entry.pop("start", None)
    entry["timestamps"] = stamps


def _repeat_an_id(chance: random.Random, request: dict[str, Any]) -> None:
    if isinstance(request.get("series"), list):
        request["series"].append(_some_series(chance, request))


def _ask_for_levels(chance: random.Random, request: dict[str, Any]) -> None:
    request["levels"] = [
        chance.choice([50, 80, 99.9, 0, 100, -5, 1e-9, "80", None]) for _ in range(chance.randrange(4))
    ]
    request["quantiles"] = [chance.choice([0.5, 0.01, 0.999, 0, 1, "0.5", None]) for _ in range(chance.randrange(4))]


def _ask_far_ahead(chance: random.Random, request: dict[str, Any]) -> None:
    request["horizon"] = chance.choice([13, 200, 1000, 1001, 10**9, 12.0, 12.5, "12"])


def _ask_for_a_model(chance: random.Random, request: dict[str, Any]) -> None:
    request["model"] = chance.choice(MODELS)


def _some_series(chance: random.Random, request: dict[str, Any]) -> dict[str, Any]:
    """Return one of the series of a request, or a new object if it has none."""
    entries = request.get("series")
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return chance.choice(found) if found else {}


CHANGES: list[Change] = [
    _put_junk_at_top,
    _put_junk_in_series,
    _put_junk_in_values,
    _replace_a_series,
    _drop_a_field,
    _change_the_dates,
    _send_timestamps,
    _repeat_an_id,
    _ask_for_levels,
    _ask_far_ahead,
    _ask_for_a_model,
]
