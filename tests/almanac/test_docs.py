"""The examples in docstrings, and how fast the package is imported."""

import doctest
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

import almanac
from tests.almanac.conftest import months, transport_to
from tests.training.fakes import make_fit

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("keras", "mlflow", "narwhals", "numpy", "onnxruntime", "pandas", "pyarrow", "tensorflow")


@pytest.mark.parametrize("name", ["client", "forecaster", "local"])
def test_examples_in_docstrings_are_right(name: str) -> None:
    """Each is run."""
    found = doctest.testmod(import_module(f"almanac.{name}"), extraglobs={"almanac": almanac})

    assert found.attempted
    assert not found.failed


@pytest.fixture
def machine(shared_client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a folder with a file of sales, a service at port 8000, and trainings that take no time."""
    monkeypatch.chdir(tmp_path)
    months("berlin", "paris").to_csv("sales.csv", index=False)
    monkeypatch.setattr("training.pipeline.candidates.fit_with_keras", make_fit())
    transports = {"connect": transport_to(shared_client), "connect_async": httpx.ASGITransport(shared_client.app)}
    for name, transport in transports.items():
        made = getattr(almanac, name)
        monkeypatch.setattr(
            almanac,
            name,
            lambda *_, made=made, transport=transport, **_o: made("http://testserver", transport=transport),
        )


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("document", ["README.md", "docs/python.md"])
def test_every_block_of_the_documents_runs(document: str) -> None:
    """One after the other, as in a notebook."""
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    names: dict[str, object] = {}

    for block in blocks:
        exec(compile(block, document, "exec"), names)  # noqa: S102 - our own

    assert isinstance(names["forecast"], almanac.Forecasts)


def test_the_import_loads_nothing_heavy() -> None:
    """A notebook waits for what it uses, when it uses it."""
    code = f"import sys, almanac; sys.exit(str(set({HEAVY}) & sys.modules.keys() or ''))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 (ours)

    assert done.stderr.strip() == ""


def test_every_public_name_is_found() -> None:
    """Lazily; another is an error."""
    assert all(getattr(almanac, name) is not None for name in almanac.__all__)
    assert not hasattr(almanac, "nothing")
