"""Ray environment: runs a module of the proofs with the packages of tests/prove/ray.lock."""

import os
import subprocess
from pathlib import Path

PYTHON = Path(__file__).resolve().parents[2] / ".venv-ray" / "bin" / "python"


def environment() -> dict[str, str]:
    """Return the variables of a process that runs this code with Ray."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    # At Ray's own niceness of 15 a busy machine hardly lets its workers run.
    return kept | {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(PYTHON.parents[2])}


def run_in_ray_environment(module: str, *arguments: object) -> None:
    """Run `python -m MODULE ARGUMENTS`; raises CalledProcessError."""
    command = [str(PYTHON), "-m", module, *map(str, arguments)]
    subprocess.run(command, check=True, cwd=PYTHON.parents[2], env=environment())  # noqa: S603
