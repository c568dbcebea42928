import pytest

from models.errors import ConfigInvalid
from training.registry.location import RegistryLocation


def test_the_store_is_sqlite_at_home_unless_a_server_is_named() -> None:
    """MLFLOW_TRACKING_URI replaces the database in ALMANAC_HOME."""
    local = RegistryLocation.from_environment({"ALMANAC_HOME": "/tmp/a"})  # noqa: S108 - a name, nothing is written
    remote = RegistryLocation.from_environment({"ALMANAC_HOME": "/tmp/a", "MLFLOW_TRACKING_URI": "http://m:5000"})  # noqa: S108

    assert (local.uri, local.is_server) == ("sqlite:////tmp/a/mlflow.db", False)
    assert (remote.uri, remote.is_server) == ("http://m:5000", True)


@pytest.mark.parametrize("name", ["50%41", "what?mode=ro"])
def test_a_home_whose_path_mlflow_misreads_is_refused(name: str) -> None:
    """MLflow decodes % and ? in the address of a database."""
    with pytest.raises(ConfigInvalid) as caught:
        RegistryLocation.from_environment({"ALMANAC_HOME": f"/tmp/{name}"})  # noqa: S108 - a name, nothing is written

    assert name in str(caught.value)
