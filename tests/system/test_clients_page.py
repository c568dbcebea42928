"""docs/clients.md: every block runs against a running Almanac."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.server_process import NO_REGISTRY, PROGRAM, ServerProcess

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "clients.md"
CLIENTS = ROOT / ".venv-clients" / "bin" / "python"
"""The environment of packages that need pandas 2; `make prove` makes it."""
ADDRESS = "localhost:8000"
FEWEST = 9


def blocks() -> list[tuple[str, str, str]]:
    """Return heading, language and code of each block."""
    found, heading = [], ""
    for title, language, code in re.findall(
        r"^## ([^\n]*)$|^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    ):
        heading = title or heading
        if code:
            found.append((heading, language, code))
    return found


def command(language: str, code: str) -> list[str]:
    """Return the command that runs a block."""
    other = any(f"import {name}" in code or f"from {name}" in code for name in ("nixtla", "kserve", "tritonclient"))
    return {
        "sh": ["bash", "-euc", code.replace("curl ", "curl --silent --show-error --fail-with-body ")],
        "python": [str(CLIENTS) if other else sys.executable, "-c", code],
        "javascript": ["node", "--input-type=module", "--eval", code],
        "r": ["Rscript", "-e", code],
    }[language]


def is_long(language: str, code: str) -> bool:
    """Return whether a block needs what only `make prove` installs, or MLflow, which takes long to import."""
    return language == "r" or "from mlflow" in code or command(language, code)[0] == str(CLIENTS)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return host and port of a service with the starter."""
    with ServerProcess(
        tmp_path_factory.mktemp("home"), program=NO_REGISTRY + PROGRAM, ALMANAC_MODEL="starter"
    ) as server:
        yield str(server.ready().client.base_url).rstrip("/").removeprefix("http://")


@pytest.mark.parametrize(
    ("language", "code"),
    [
        pytest.param(
            language, code, marks=pytest.mark.prove if is_long(language, code) else pytest.mark.system, id=heading
        )
        for heading, language, code in blocks()
    ],
)
def test_a_block_runs(address: str, language: str, code: str) -> None:
    """It ends without an error."""
    run = command(language, code.replace(ADDRESS, address).replace("alm_…", "alm_key"))
    if shutil.which(run[0]) is None and "CI" not in os.environ:
        pytest.skip(f"{run[0]} is not on this machine")

    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 (our own page)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_has_a_block_for_each_client() -> None:
    """Each of its sections, at least one."""
    assert {language for _, language, _ in blocks()} == {"sh", "python", "javascript", "r"}
    assert len(blocks()) >= FEWEST
