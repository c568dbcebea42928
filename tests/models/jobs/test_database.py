from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from models.jobs.database import jobs_url, sqlite_file, without_password


def test_the_default_is_a_file_in_the_home(tmp_path: Path) -> None:
    """No setting is needed on one machine."""
    url = jobs_url({"ALMANAC_HOME": str(tmp_path)})

    assert url == f"sqlite:///{tmp_path / 'jobs.db'}"
    assert sqlite_file(url) == tmp_path / "jobs.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_postgresql_scheme_is_accepted(scheme: str) -> None:
    """The address of the service's own tables can be copied."""
    url = jobs_url({"ALMANAC_JOBS_URL": f"{scheme}://almanac:secret@db/almanac"})

    assert url == "postgresql://almanac:secret@db/almanac"
    assert sqlite_file(url) is None


def test_another_database_is_refused_without_showing_its_password() -> None:
    """The error text has the remedy and no password."""
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
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    """Also if the password contains special characters, or there is none."""
    assert without_password(url) == shown
