"""Memory: a request leaves nothing behind in the process (tests/prove/test_soak.py measures a server's resident memory)."""

import gc
import sys

from starlette.testclient import TestClient

MONTHLY = {"start": "1935-01", "frequency": "M", "values": [float(month % 12) for month in range(60)]}
REQUESTS = [
    {"series": [MONTHLY], "horizon": 12},
    {"series": [{**MONTHLY, "id": f"s{at}"} for at in range(20)], "horizon": 24, "levels": [50, 80, 95]},
    {"series": [{"values": ["warm"]}], "horizon": 12},
]


def blocks_after(client: TestClient, rounds: int) -> int:
    """Return the allocated blocks of memory after so many rounds of all requests."""
    for _ in range(rounds):
        for request in REQUESTS:
            client.post("/forecast", json=request)
    gc.collect()
    return sys.getallocatedblocks()


def test_a_request_leaves_nothing_in_memory(client: TestClient) -> None:
    """Caches are full after some rounds; a leak of one object a request would add 120 blocks."""
    before = blocks_after(client, 20)

    after = blocks_after(client, 40)

    assert after - before < 100
