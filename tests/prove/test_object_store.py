"""Forecasts of a folder in an object store, on both engines."""

import json
from pathlib import Path

from tests.prove.ray_environment import run_in_ray_environment


def test_a_store_is_read_and_written_as_a_folder(tmp_path: Path) -> None:
    """Byte for byte the forecasts of a folder; a part that is lost is written again, and the others are kept."""
    run_in_ray_environment("tests.prove.object_store", tmp_path)

    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome == {"local": True, "resumed": True, "kept": [1, 2], "checksums": True, "ray": True}
