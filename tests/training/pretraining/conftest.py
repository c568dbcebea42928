import pytest


@pytest.fixture(scope="module", autouse=True)
def _without_xla(graphs: None) -> None:
    """Compile no network with XLA."""
