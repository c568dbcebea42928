from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from models.jobs.database import jobs_url, sqlite_file, without_password


def test_without_an_address_the_jobs_lie_in_the_home(tmp_path: Path) -> None:
    """One machine needs no setting."""
    url = jobs_url({"ALMANAC_HOME": str(tmp_path)})

    assert url == f"sqlite:///{tmp_path / 'jobs.db'}"
    assert sqlite_file(url) == tmp_path / "jobs.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_is_understood(scheme: str) -> None:
    """The address that the service has for its own tables can be copied."""
    url = jobs_url({"ALMANAC_JOBS_URL": f"{scheme}://almanac:secret@db/almanac"})

    assert url == "postgresql://almanac:secret@db/almanac"
    assert sqlite_file(url) is None


def test_another_database_is_refused_without_showing_its_password() -> None:
    """The remedy is said, the secret is not."""
    with pytest.raises(ConfigInvalid, match="postgresql://USER") as refused:
        jobs_url({"ALMANAC_JOBS_URL": "mysql://almanac:secret@db/almanac"})

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://almanac:p@ss@db/almanac", "postgresql://almanac@db/almanac"),
        ("postgresql://db/almanac", "postgresql://db/almanac"),
        ("sqlite:////home/jobs.db", "sqlite:////home/jobs.db"),
    ],
)
def test_what_is_shown_of_an_address_has_no_password(url: str, shown: str) -> None:
    """Whatever is in it."""
    assert without_password(url) == shown
