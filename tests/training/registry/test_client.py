import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from models.errors import ConfigInvalid, ModelUnknown, RegistryError, RegistryUnreachable
from tests.artifacts import make_artifact
from tests.starters import make_starters
from training.registry.client import Registry
from training.registry.location import RegistryLocation

ROOT = Path(__file__).resolve().parents[3]


def publish(registry: Registry, directory: Path, *, shift: float = 0.0) -> str:
    """Register an artifact as the next version of `weather` and return its number."""
    run_id = registry.start("weather", "lstm", tags={})
    example = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2000-01", periods=36, freq="MS"), "y": 1.0})
    uri = registry.models.log_model(run_id, make_artifact(directory, shift=shift), example)
    registry.finish(run_id)
    return registry.models.register("weather", uri, run_id=run_id, tags={"architecture": "lstm"})


def test_the_store_is_sqlite_at_home_unless_a_server_is_named() -> None:
    """ALMANAC_HOME holds the database; MLFLOW_TRACKING_URI replaces it."""
    local = RegistryLocation.from_environment({"ALMANAC_HOME": "/tmp/a"})  # noqa: S108 - a name, nothing is written
    remote = RegistryLocation.from_environment({"ALMANAC_HOME": "/tmp/a", "MLFLOW_TRACKING_URI": "http://m:5000"})  # noqa: S108

    assert (local.uri, local.is_server) == ("sqlite:////tmp/a/mlflow.db", False)
    assert (remote.uri, remote.is_server) == ("http://m:5000", True)


def test_a_home_with_spaces_and_a_hash_is_itself(empty_store: Path, tmp_path: Path) -> None:
    """Letters that end a web address do not end a folder's name: nothing is written beside the home."""
    home = tmp_path / "my data #1"
    home.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    registry = Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(home)}))

    publish(registry, tmp_path / "model")

    assert registry.models.download(registry.models.resolve("weather@challenger"), tmp_path / "fetched").is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {"my data #1", "model", "fetched"}


@pytest.mark.parametrize("name", ["50%41", "what?mode=ro"])
def test_a_home_that_would_mean_another_file_is_refused(name: str) -> None:
    """MLflow reads % and ? of a database's address as it does on the web, so such a folder is refused by name."""
    with pytest.raises(ConfigInvalid, match="Choose another folder") as caught:
        RegistryLocation.from_environment({"ALMANAC_HOME": f"/tmp/{name}"})  # noqa: S108 - a name, nothing is written

    assert name in str(caught.value)


def test_a_registered_model_comes_back_as_it_was(registry: Registry, tmp_path: Path) -> None:
    """What was uploaded is what is downloaded, byte for byte, under the home's artifacts."""
    publish(registry, tmp_path / "model")

    fetched = registry.models.download(registry.models.resolve("weather@challenger"), tmp_path / "fetched")

    for file in (tmp_path / "model").iterdir():
        assert (fetched / file.name).read_bytes() == file.read_bytes()
    assert (registry.location.home / "artifacts").is_dir()


def test_the_starters_in_a_models_code_are_not_the_model(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever logs a model with the whole of our code logs the starters too; they stand before it by name."""
    monkeypatch.setattr(
        "training.registry.model_versions.copy_models", lambda scratch: make_starters(scratch / "models")
    )
    publish(registry, tmp_path / "model")

    fetched = registry.models.download(registry.models.resolve("weather@challenger"), tmp_path / "fetched")

    assert (fetched / "spec.json").read_bytes() == (tmp_path / "model" / "spec.json").read_bytes()


def test_any_mlflow_client_can_load_it(registry: Registry, tmp_path: Path) -> None:
    """The pyfunc forecasts a long frame, with its horizon as a parameter, and says so in its signature."""
    import mlflow.pyfunc

    publish(registry, tmp_path / "model")
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2000-01", periods=36, freq="MS"), "y": range(36)})

    model = mlflow.pyfunc.load_model("models:/weather@challenger")
    answer = model.predict(frame.astype({"y": float}), params={"horizon": 3, "levels": [90.0]})

    assert answer["median"].tolist() == [24.0, 25.0, 26.0]
    assert {"q0.1", "q0.9", "q0.05", "q0.95"} <= set(answer.columns)
    assert [column.name for column in model.metadata.signature.inputs] == ["unique_id", "ds", "y"]
    assert model.metadata.signature.params.to_dict()[0]["name"] == "horizon"


def test_what_is_uploaded_needs_no_keras(registry: Registry, tmp_path: Path) -> None:
    """The code beside a model is what predicts, without the starters, and its requirements are pinned."""
    publish(registry, tmp_path / "model")

    code = next((registry.location.home / "artifacts").rglob("code/models"))

    assert not (code / "networks").exists()
    assert not (code / "starters").exists()
    requirements = (code.parents[1] / "requirements.txt").read_text().split()
    assert {line.split("==")[0] for line in requirements} == {"mlflow", "numpy", "onnxruntime", "pandas"}


def test_promotion_moves_aliases_and_rollback_moves_them_back(registry: Registry, tmp_path: Path) -> None:
    """The old champion becomes previous; rollback exchanges the two."""
    first, second = (publish(registry, tmp_path / name) for name in ("one", "two"))

    assert registry.models.promote("weather", first) is None
    assert registry.models.promote("weather", second) == first
    assert registry.models.resolve("weather").version == second
    assert registry.models.rollback("weather") == (first, second)
    assert registry.models.resolve("weather@champion").version == first
    assert registry.models.resolve("weather@previous").version == second


def test_promoting_the_champion_keeps_the_previous_one(registry: Registry, tmp_path: Path) -> None:
    """A champion promoted again does not become its own predecessor."""
    first, second = (publish(registry, tmp_path / name) for name in ("one", "two"))
    for version in (first, second, second):
        registry.models.promote("weather", version)

    assert registry.models.resolve("weather@previous").version == first


def test_models_are_named_by_alias_or_number(registry: Registry, tmp_path: Path) -> None:
    """`name`, `name@alias` and `name/version` each mean one version; what is unknown is answered by what there is."""
    version = publish(registry, tmp_path / "one")
    registry.models.promote("weather", version)

    assert {
        registry.models.resolve(text).version for text in ("weather", "weather@champion", f"weather/{version}")
    } == {"1"}
    for wrong in ("weather@best", "weather/7"):
        with pytest.raises(ModelUnknown, match=r"1 \(challenger, champion\)"):
            registry.models.resolve(wrong)
    with pytest.raises(ModelUnknown, match="Names: weather"):
        registry.models.resolve("wether")


def test_versions_are_listed_with_their_figures(registry: Registry, tmp_path: Path) -> None:
    """The newest version stands first, with the summary metrics of its run and without its curves."""
    for name in ("one", "two"):
        publish(registry, tmp_path / name)
    newest = registry.models.versions()[0]
    registry.log(newest.run_id, metrics={"backtest.mase": 0.8, "epoch/loss": 1.0})

    found = registry.models.versions(metrics=True)

    assert [one.version for one in found] == ["2", "1"]
    assert found[0].metrics == {"backtest.mase": 0.8}


def test_rollback_without_a_previous_champion_says_so(registry: Registry, tmp_path: Path) -> None:
    """There must be something to go back to."""
    registry.models.promote("weather", publish(registry, tmp_path / "one"))

    with pytest.raises(ModelUnknown, match="no previous champion"):
        registry.models.rollback("weather")


def test_an_unknown_version_is_not_promoted(registry: Registry, tmp_path: Path) -> None:
    """An alias never points at nothing."""
    publish(registry, tmp_path / "one")

    with pytest.raises(ModelUnknown):
        registry.models.promote("weather", "9")
    with pytest.raises(ModelUnknown):
        registry.models.rollback("nobody")


def test_a_server_that_does_not_answer_is_one_clear_error(tmp_path: Path) -> None:
    """A dead tracking server is an error of ours, with its address."""
    registry = Registry(RegistryLocation(tmp_path, "http://127.0.0.1:9"))

    with pytest.raises(RegistryUnreachable, match=r"^http://127\.0\.0\.1:9 does not respond \(Connection refused\)"):
        registry.models.names()


def test_a_damaged_database_is_one_clear_error(tmp_path: Path) -> None:
    """A file that is no database is named, with neither query nor web address."""
    (tmp_path / "mlflow.db").write_text("no database, though long enough to look like one for a moment\n" * 9)

    with pytest.raises(RegistryUnreachable, match="file is not a database") as caught:
        Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(tmp_path)}))

    assert str(tmp_path / "mlflow.db") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_home_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    """A home must be a folder; the path that is none is named."""
    (tmp_path / "home").write_text("")

    with pytest.raises(RegistryUnreachable, match=r"home: File exists\. Set ALMANAC_HOME"):
        Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(tmp_path / "home")}))


def test_a_moved_home_is_told_by_the_path_that_is_not_there(registry: Registry, tmp_path: Path) -> None:
    """MLflow keeps absolute paths: whoever moves a home learns which one it wants."""
    publish(registry, tmp_path / "model")
    registry.location.home.rename(tmp_path / "moved")
    moved = Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(tmp_path / "moved")}))

    with pytest.raises(RegistryError, match=r"move the home back") as caught:
        moved.models.download(moved.models.resolve("weather@challenger"), tmp_path / "fetched")

    assert f"{tmp_path}/home/artifacts" in str(caught.value)


def test_processes_that_meet_at_a_new_home_wait_for_each_other(tmp_path: Path) -> None:
    """The database's tables are made once, by whoever comes first; the others find them made."""
    code = "import os; from training.registry.location import RegistryLocation; from training.registry.client import Registry; "
    code += "print(Registry(RegistryLocation.from_environment(os.environ)).models.names())"
    environment = {**os.environ, "ALMANAC_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    together = [
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]

    for one in together:
        said, complaint = one.communicate(timeout=120)
        assert (one.returncode, said.strip()) == (0, "[]"), complaint


def test_a_database_that_someone_else_holds_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the limit the lock is named, so that its holder can be found."""
    monkeypatch.setattr("training.registry.file_lock.LOCK_SECONDS", 0.0)
    with (tmp_path / "mlflow.db.lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(RegistryUnreachable, match=r"mlflow\.db\.lock"):
            Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(tmp_path)}))
