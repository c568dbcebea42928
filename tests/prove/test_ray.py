"""The engine ray on a cluster of three nodes, one of which is removed in the middle of a run."""

import json
from pathlib import Path

import pytest

from tests.prove.ray_environment import run_in_ray_environment

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]


def test_a_lost_node_changes_nothing(tmp_path: Path) -> None:
    """Byte for byte the forecasts of one process: nothing is missing, nothing is there twice."""
    run_in_ray_environment("tests.prove.ray_cluster", tmp_path)

    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert (outcome["nodes"], outcome["nodes_left"]) == (3, 2)
    assert outcome["attempts"] > outcome["parts"]  # a part that the lost node had written was forecast again
    assert outcome["same"]
    assert outcome["series"] == 2_400
    assert outcome["rows_of_each"] == [12]
