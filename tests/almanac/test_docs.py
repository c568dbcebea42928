"""The examples in docstrings, and how fast the package is imported."""

import doctest
import subprocess
import sys
from importlib import import_module

import pytest

import almanac

HEAVY = ("keras", "mlflow", "narwhals", "numpy", "onnxruntime", "pandas", "pyarrow", "tensorflow")


@pytest.mark.parametrize("name", ["client", "forecaster", "local"])
def test_examples_in_docstrings_are_right(name: str) -> None:
    """Each is run."""
    found = doctest.testmod(import_module(f"almanac.{name}"), extraglobs={"almanac": almanac})

    assert found.attempted
    assert not found.failed


def test_the_import_loads_nothing_heavy() -> None:
    """A notebook waits for what it uses, when it uses it."""
    code = f"import sys, almanac; sys.exit(str(set({HEAVY}) & sys.modules.keys() or ''))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 (ours)

    assert done.stderr.strip() == ""


def test_every_public_name_is_found() -> None:
    """Lazily; another is an error."""
    assert all(getattr(almanac, name) is not None for name in almanac.__all__)
    assert not hasattr(almanac, "nothing")
