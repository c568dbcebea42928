import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from models import artifact
from models.errors import ModelUnknown
from tests.artifacts import make_blended
from tests.starters import make_starters
from tests.training.registry.publishing import publish, publish_folder
from training.registry.client import Registry
from training.registry.location import RegistryLocation


@pytest.fixture(scope="module")
def published(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with two versions of `weather`, the artifact of each in a folder of the same name."""
    home = tmp_path_factory.mktemp("published")
    shutil.copy(empty_store, home / "mlflow.db")
    registry = Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(home)}))
    for number in "12":
        publish(registry, home / number)
    return home


@pytest.fixture
def weather(published: Path, tmp_path: Path) -> Registry:
    """Return a copy of that registry; its artifacts stay where they are."""
    shutil.copy(published / "mlflow.db", tmp_path / "mlflow.db")
    (tmp_path / "artifacts").symlink_to(published / "artifacts")
    return Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(tmp_path)}))


def aliases(registry: Registry) -> dict[str, str]:
    """Return the version of each alias."""
    return {alias: one.version for one in registry.models.versions("weather") for alias in one.aliases}


def test_a_downloaded_version_is_what_was_uploaded(weather: Registry, published: Path, tmp_path: Path) -> None:
    """Its files have the same bytes; the home keeps them in `artifacts`."""
    fetched = weather.models.download(weather.models.resolve("weather@challenger"), tmp_path / "fetched")

    for file in (published / "2").iterdir():
        assert (fetched / file.name).read_bytes() == file.read_bytes()
    assert (published / "artifacts").is_dir()


def test_starters_in_a_models_code_are_not_the_model(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model logged with all code contains the starters' spec.json files, whose paths sort before its own."""
    monkeypatch.setattr("training.registry.model_code.copy_models", lambda scratch: make_starters(scratch / "models"))
    publish(registry, tmp_path / "model")

    fetched = registry.models.download(registry.models.resolve("weather@challenger"), tmp_path / "fetched")

    assert (fetched / "spec.json").read_bytes() == (tmp_path / "model" / "spec.json").read_bytes()


def test_any_mlflow_client_can_load_a_model(weather: Registry) -> None:
    """The pyfunc forecasts a long frame, has the horizon as parameter, and has a signature."""
    import mlflow.pyfunc

    assert aliases(weather) == {"challenger": "2"}
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2000-01", periods=36, freq="MS"), "y": range(36)})
    frame = frame.assign(ds=frame["ds"].dt.strftime("%Y-%m-%d")).sample(frac=1, random_state=1)

    model = mlflow.pyfunc.load_model("models:/weather@challenger")
    forecast = model.predict(frame, params={"horizon": 3, "levels": [90.0], "mean": True})

    assert forecast["median"].tolist() == [24.0, 25.0, 26.0]
    assert forecast["mean"].tolist() == pytest.approx([24.0, 25.0, 26.0])
    sums = model.predict(frame, params={"horizon": 3, "sums": ["1-2", "horizon"]})
    assert sums["window"].tolist() == ["1-2", "horizon"]
    assert sums["median"].tolist() == pytest.approx([49.0, 75.0], rel=1e-3)
    assert {"q0.1", "q0.9", "q0.05", "q0.95"} <= set(forecast.columns)
    assert [column.name for column in model.metadata.signature.inputs] == ["unique_id", "ds", "y"]
    assert model.metadata.signature.params.to_dict()[0]["name"] == "horizon"


def test_a_blended_model_is_uploaded_whole(registry: Registry, tmp_path: Path) -> None:
    """It comes back with its part, and forecasts as any MLflow client loads it."""
    import mlflow.pyfunc

    publish_folder(registry, make_blended(tmp_path / "model"))

    fetched = registry.models.download(registry.models.resolve("weather@challenger"), tmp_path / "fetched")
    for name in artifact.served_files(tmp_path / "model"):
        assert (fetched / name).read_bytes() == (tmp_path / "model" / name).read_bytes()
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2000-01", periods=36, freq="MS"), "y": range(36)})
    found = mlflow.pyfunc.load_model("models:/weather@challenger").predict(frame, params={"horizon": 3})
    assert found["median"].tolist() == [29.0, 30.0, 31.0]


PLANTED = """
import sys
sys.path.insert(0, sys.argv[1])
import {package}, models
import pandas as pd
model = {package}._load_pyfunc(sys.argv[2])
frame = pd.DataFrame({{"unique_id": "a", "ds": pd.date_range("2000-01", periods=36, freq="MS"), "y": range(36)}})
assert model.predict(frame, {{"horizon": 3}})["median"].tolist() == [24.0, 25.0, 26.0]
assert models.NAME == "mine" and type(model).__module__ == "{package}.models.pyfunc"
"""


@pytest.mark.usefixtures("weather")
def test_an_uploaded_model_loads_beside_a_models_of_the_user(published: Path, tmp_path: Path) -> None:
    """As MLflow loads it: its code goes onto `sys.path`, and its loader module is called."""
    package = next((published / "artifacts").rglob("code/almanac_model_*"))
    folders = [str(package.parent), str(next(package.parents[1].rglob("network.onnx")).parent)]
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("NAME = 'mine'")
    command = [sys.executable, "-c", PLANTED.format(package=package.name), *folders]

    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    assert found.returncode == 0, found.stderr


@pytest.mark.usefixtures("weather")
def test_an_uploaded_model_needs_no_keras(published: Path) -> None:
    """Its code has no networks and no starters, and its requirements are pinned."""
    code = next((published / "artifacts").rglob("code/almanac_model_*/models"))

    assert not (code / "networks").exists()
    assert not (code / "starters").exists()
    requirements = (code.parents[2] / "requirements.txt").read_text().split()
    assert {line.split("==")[0] for line in requirements} == {"mlflow", "numpy", "onnxruntime", "pandas"}


def test_rollback_swaps_champion_and_previous(weather: Registry) -> None:
    """Promotion makes the old champion previous, except when a champion is promoted again."""
    assert weather.models.promote("weather", "1") is None
    assert weather.models.promote("weather", "2") == "1"
    weather.models.promote("weather", "2")
    assert aliases(weather) == {"champion": "2", "previous": "1", "challenger": "2"}

    assert weather.models.rollback("weather") == ("1", "2")
    assert aliases(weather) == {"champion": "1", "previous": "2", "challenger": "2"}


def test_an_older_version_does_not_become_challenger(weather: Registry) -> None:
    """The newest version stays the challenger."""
    weather.models.set_challenger("weather", "1")

    assert aliases(weather) == {"challenger": "2"}


def test_a_model_is_named_by_alias_or_version(weather: Registry) -> None:
    """A name without either means its champion; the error for an unknown model lists the known ones."""
    weather.models.promote("weather", "1")

    assert {weather.models.resolve(text).version for text in ("weather", "weather@champion", "weather/1")} == {"1"}
    for unknown in ("weather@best", "weather/7"):
        with pytest.raises(ModelUnknown, match=r"2 \(challenger\), 1 \(champion\)"):
            weather.models.resolve(unknown)
    with pytest.raises(ModelUnknown, match="Names: weather"):
        weather.models.resolve("wether")


def test_versions_are_listed_with_their_summary_metrics(weather: Registry) -> None:
    """The newest version is first; metrics by epoch are left out."""
    newest = weather.models.versions()[0]
    weather.log(newest.run_id, metrics={"backtest.mase": 0.8, "epoch/loss": 1.0})

    found = weather.models.versions(metrics=True)

    assert [one.version for one in found] == ["2", "1"]
    assert found[0].metrics == {"backtest.mase": 0.8}


def test_unknown_versions_are_neither_promoted_nor_rolled_back(weather: Registry) -> None:
    """Without a previous champion there is nothing to roll back to."""
    weather.models.promote("weather", "1")

    with pytest.raises(ModelUnknown, match="no previous champion"):
        weather.models.rollback("weather")
    with pytest.raises(ModelUnknown):
        weather.models.promote("weather", "9")
    with pytest.raises(ModelUnknown):
        weather.models.rollback("unknown")
    assert aliases(weather) == {"champion": "1", "challenger": "2"}
