from pathlib import Path

import pytest

from models import starters
from tests.starters import make_starters
from training.bulk import layout


@pytest.fixture(scope="package")
def folder_of_starters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of small starters."""
    return make_starters(tmp_path_factory.mktemp("starters"), ("M", "D"))


@pytest.fixture(autouse=True)
def _small(folder_of_starters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use small starters and parts of eight series."""
    monkeypatch.setattr(starters, "FOLDER", folder_of_starters)
    monkeypatch.setattr(starters, "BLENDS", {})
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(layout, "SERIES_A_PART", 8)
