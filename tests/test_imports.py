"""The import graph of almanac, models, service and training."""

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("almanac", "models", "service", "training")


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """Return every module with the modules it imports; imports under TYPE_CHECKING and in functions count."""
    found = grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=False)
    return {module: found.find_modules_directly_imported_by(module) for module in found.modules}


def test_no_import_circle_is_left(graph: dict[str, set[str]]) -> None:
    """The modules can be put in an order in which each imports only those before it."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_holds_at_most_twenty_modules(package: str) -> None:
    """A reader sees the modules of a package at one glance."""
    files = Counter(path.parent for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py")

    assert {str(folder): count for folder, count in files.items() if count > 20} == {}
