"""Raw requests: the bytes of HTTP requests, damaged in many ways, the same for the same seed."""

import json
import random
from collections.abc import Iterator

BODY = json.dumps({"series": [{"values": [1, 2, 3]}], "horizon": 2}).encode()
NASTY = (
    *(b"", b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b"\xff", b"\x80", b"%", b"%00", b"%zz", b"/../"),
    *(b"HTTP/9.9", b"HTTP/1.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00", b"0\r\n\r\n", b"x" * 70_000),
    *(b"ffffffffffffffff", b"-1", b"1e9", b"99999999999999999999", b"transfer-encoding: chunked\r\n", b"content-length: 5\r\n"),
    *(b"expect: 100-continue\r\n", b"upgrade: websocket\r\nconnection: upgrade\r\n", b"content-encoding: gzip\r\n", b"host: b\r\n"),
)  # fmt: skip
TYPES = (b"application/json", b"text/csv", b"application/vnd.apache.parquet", b"application/x-ndjson", b"a/b", b"\xff")
PATHS = (
    *(b"/forecast", b"/validate", b"/observations", b"/jobs", b"/schedules", b"/series/a", b"/", b"/page/session"),
    *(b"/invocations", b"/v1/timeseries/forecast", b"/v2/models/temperatures/infer", b"/v2/health/ready", b"/metrics"),
)
METHODS = (b"GET", b"POST", b"HEAD", b"DELETE", b"OPTIONS", b"PUT", b"BREW", b"get")


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Yield so many requests: some right, most damaged in one to three places, cut, doubled, or not HTTP at all."""
    chance = random.Random(seed)  # noqa: S311 (reproducible, not secret)
    for _ in range(count):
        request = valid(chance)
        for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
            request = damaged(chance, request)
        yield chance.randbytes(chance.randrange(1, 300)) if chance.random() < 0.03 else request


def valid(chance: random.Random) -> bytes:
    """Return the bytes of a request that can be read; it ends its connection."""
    body = BODY if chance.random() < 0.8 else chance.randbytes(chance.randrange(100))
    head = [
        chance.choice(METHODS) + b" " + chance.choice(PATHS) + b" HTTP/1.1",
        *(b"host: 127.0.0.1", b"connection: close", b"content-type: " + chance.choice(TYPES)),
    ]
    if chance.random() < 0.3:
        sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        return b"\r\n".join([*head, b"transfer-encoding: chunked", b"", sent])
    return b"\r\n".join([*head, b"content-length: %d" % len(body), b"", body])


def damaged(chance: random.Random, request: bytes) -> bytes:
    """Return the bytes with something put in, replaced, cut or doubled at a random place."""
    place, nasty = chance.randrange(len(request) + 1), chance.choice(NASTY)
    return chance.choice(
        [
            request[:place] + nasty + request[place:],
            request[:place] + nasty + request[place + max(1, len(nasty)) :],
            request[:place] + bytes([chance.randrange(256)]) + request[place + 1 :],
            request[:place],
            request[:place] + request[place // 2 :],
            request + request,
        ]
    )
