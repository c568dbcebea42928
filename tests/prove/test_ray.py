"""The engine ray on a cluster of three nodes, one of which is removed in the middle of a run."""

import json
import os
import subprocess
from pathlib import Path

import pytest

PYTHON = Path(__file__).resolve().parents[2] / ".venv-ray" / "bin" / "python"

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]


def test_a_lost_node_changes_nothing(tmp_path: Path) -> None:
    """Byte for byte the forecasts of one process: nothing is missing, nothing is there twice."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["RAY_worker_niceness"] = "0"  # at Ray's 15 a busy machine hardly lets them run
    command = [str(PYTHON), "-m", "tests.prove.ray_cluster", str(tmp_path)]

    subprocess.run(command, check=True, cwd=PYTHON.parents[2], env=environment)  # noqa: S603

    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert (outcome["nodes"], outcome["nodes_left"]) == (3, 2)
    assert outcome["attempts"] > outcome["parts"]  # a part that the lost node had written was forecast again
    assert outcome["same"]
    assert outcome["series"] == 2_400
    assert outcome["rows_of_each"] == [12]
