"""Fixture of the dialects' tests: a service with a monthly and two daily models, and the starter as default."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from models import starters
from models.covariates import CovariateNames
from tests.service.home import Artifacts, ServiceHome, eventually, serving


@pytest.fixture(scope="package")
def dialects(
    tmp_path_factory: pytest.TempPathFactory, artifacts: Artifacts, migrated: Path, small_starters: Path
) -> Iterator[TestClient]:
    """Return a client of one service for all tests of the dialects."""
    home = ServiceHome(tmp_path_factory.mktemp("dialects"), artifacts)
    home.publish("temperatures", "1")
    home.publish("visitors", "1", frequency="D", season_length=7)
    home.publish("sales", "1", frequency="D", season_length=7, names=CovariateNames((), ("price",)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(starters, "FOLDER", small_starters)
        patched.setattr(starters, "BLENDS", {})
        with serving(home, migrated, model=starters.NAME) as client:
            eventually(lambda: client.get("/models/sales").status_code == 200, "the models were not loaded")
            yield client
