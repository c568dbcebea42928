"""A million observations are stored completely, also when the service and PostgreSQL are killed meanwhile."""

import time
from pathlib import Path

import pytest

from tests.prove.figures import record
from tests.service.bulk import Poster, digest, load_with_kills, sent, serve, stored

PARTS, ROWS = 40, 25_000


@pytest.mark.timeout(1800)
def test_a_million_observations_are_stored(tmp_path: Path) -> None:
    """On SQLite; on PostgreSQL with a SIGKILL of the service and of the database. The checksums are those of the load."""
    with serve(tmp_path / "sqlite") as serving:
        poster = Poster(PARTS, ROWS, str(serving.client.base_url))
        began = time.monotonic()
        poster.run()
        undisturbed = time.monotonic() - began
        assert digest(stored(poster.address)) == digest(sent(PARTS, ROWS))

    poster, killed = load_with_kills(tmp_path, PARTS, ROWS)

    assert poster.failures > 0
    record(
        "A million observations",
        f"One client posts {PARTS} Parquet bodies of {ROWS:,} rows, one after the other, on a machine that other programs use "
        "too. The SHA-256 of the export equals that of the data sent.",
        {
            "SQLite": f"{undisturbed:.0f} s, {PARTS * ROWS / undisturbed:,.0f} a second",
            "PostgreSQL, service and database killed with SIGKILL once each": f"{killed:.0f} s, "
            f"{poster.failures} requests failed and were sent again",
        },
    )
