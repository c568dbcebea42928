"""Every route: requests by the OpenAPI document and raw bytes, against a service with a model; it answers, and runs on."""

import asyncio
import itertools
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.prove.figures import record
from tests.prove.raw_sockets import send_all
from tests.prove.test_overload import PAGE, serving
from tests.service.openapi_cases import fuzz, operations, prepare
from tests.service.raw_requests import mutations

CASES, MUTATIONS, HANG_SECONDS = 10_000, 5_000, 5.0
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"


def by_status(statuses: Counter[int]) -> str:
    """Return counts as text."""
    return ", ".join(f"{status or 'closed'}: {count:,}" for status, count in sorted(statuses.items()))


@pytest.mark.timeout(3600)
def test_every_response_is_one_that_the_document_describes(tmp_path: Path) -> None:
    """Ten thousand requests to all operations, the paths for people and those of the dialects."""
    statuses: Counter[int] = Counter()
    began = time.monotonic()
    with serving(tmp_path) as address, httpx.Client(base_url=address, timeout=30) as client:
        prepare(client)
        found = operations(client.get("/openapi.json").json())
        for _ in range(20):
            for at, operation in enumerate(found):
                left = CASES - sum(statuses.values())
                statuses += fuzz(client, operation, -(-left // (len(found) - at)) if left > 0 else 1, fixed=False)
            if sum(statuses.values()) >= CASES:
                break
        alive = client.get("/health/live").status_code

    assert alive == 200
    assert sum(statuses.values()) >= CASES
    assert statuses[500] == 0
    record(
        "Every route",
        "Requests by the OpenAPI document, right and wrong, to each of its operations, to the paths for people and to those of the "
        "dialects. Each response has a status, a type and a shape that the document has for it.",
        {
            "requests, operations": f"{sum(statuses.values()):,}, {len(found)}",
            "by status": by_status(statuses),
            "answers with a 500, or outside their schema": 0,
            "in all": f"{time.monotonic() - began:.0f} s",
        },
        PAGE,
    )


def load_formats(address: str) -> float:
    """Send a request in each format that loads a library with its first request, and return how long the slowest took."""
    slowest = 0.0
    for path, kind in itertools.product(
        ("/forecast?horizon=2", "/invocations", "/observations"), (PARQUET, ARROW, "text/csv")
    ):
        began = time.monotonic()
        httpx.post(f"{address}{path}", content=b"a,b\n1,2\n", headers={"content-type": kind}, timeout=300)
        slowest = max(slowest, time.monotonic() - began)
    return slowest


@pytest.mark.timeout(1800)
def test_any_bytes_end_or_are_answered(tmp_path: Path) -> None:
    """Five thousand damaged requests on connections of their own."""
    limits = {"ALMANAC_HEADER_TIMEOUT_SECONDS": "2", "ALMANAC_BODY_TIMEOUT_SECONDS": "2"}
    with serving(tmp_path, **limits) as address:
        loading = load_formats(address)
        answers = asyncio.run(send_all(address, mutations(3, MUTATIONS), HANG_SECONDS))
        alive = httpx.get(f"{address}/health/live").status_code

    assert alive == 200
    assert answers.hung == []
    assert all(status < 500 or status == 503 for status in answers.statuses)
    record(
        "Any bytes",
        "Requests with bytes put in, replaced, cut and doubled, each on a connection of its own; headers and bodies have two seconds.",
        {
            "connections": f"{sum(answers.statuses.values()):,}",
            "by the status of the first response": by_status(answers.statuses),
            f"neither answered nor closed after {HANG_SECONDS:.0f} s": len(answers.hung),
            "slowest": f"{answers.slowest:.1f} s",
            "the first request in Parquet, Arrow or CSV, which loads a library": f"{loading:.1f} s",
        },
        PAGE,
    )
