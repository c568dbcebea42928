"""Registry: several processes open the database of a new home at once."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import os
from training.registry.client import Registry
from training.registry.location import RegistryLocation
print(Registry(RegistryLocation.from_environment(os.environ)).models.names())
"""


def test_processes_that_open_a_new_home_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """The first one creates the tables, and the others find them."""
    environment = {**os.environ, "ALMANAC_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own program
        for _ in range(3)
    ]

    for process in processes:
        output, error = process.communicate(timeout=240)
        assert (process.returncode, output.strip()) == (0, "[]"), error
