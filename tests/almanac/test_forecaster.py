"""Forecaster: fit, predict, save, load and register, around a training that takes no time."""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import almanac
from almanac.errors import ConfigInvalid, ExtraMissing, ModelUnknown, RequestError
from tests.almanac.conftest import months
from tests.training.fakes import make_fit
from training.fit.candidate import TrainingSet


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[TrainingSet]:
    """Return what networks are fitted to; they are seasonal naives."""
    found: list[TrainingSet] = []
    monkeypatch.setattr("training.pipeline.candidates.fit_with_keras", make_fit(seen=found))
    return found


def test_a_fitted_network_forecasts_the_frame_it_was_fitted_to(seen: list[TrainingSet]) -> None:
    """Over the trained horizon; it has read the values under their own names."""
    frame = months("a", "b").rename(columns={"unique_id": "shop", "y": "sold"})

    forecaster = almanac.Forecaster("lstm", horizon=6, max_steps=40).fit(frame, id_col="shop", target_col="sold")

    found = forecaster.predict().frame
    assert found.groupby("shop").size().to_dict() == {"a": 6, "b": 6}
    assert found["median"].tolist() == frame.groupby("shop").tail(12).groupby("shop").head(6)["sold"].tolist()
    assert [len(one) for one in seen[0].series] == [48, 48]


def test_settings_of_numpy_and_single_names_are_taken(
    seen: list[TrainingSet], capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a line of progress if none is wanted."""
    numbers: dict[str, Any] = {"horizon": np.int64(6), "seed": np.int32(1), "max_steps": np.int64(9)}
    forecaster = almanac.Forecaster("lstm", future_covariates="price", **numbers)

    forecaster.fit(months("a").assign(price=1.0), progress=False)

    assert (seen[0].horizon, seen[0].covariates.future) == (6, ("price",))
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("seen")
def test_a_fitted_network_can_be_saved_and_loaded(tmp_path: Path) -> None:
    """The folder must be new."""
    frame = months("a")
    forecaster = almanac.Forecaster("wavenet", horizon=6).fit(frame)

    loaded = almanac.load(forecaster.save(tmp_path / "saved"))

    pd.testing.assert_frame_equal(loaded.forecast(frame).frame, forecaster.predict().frame)
    with pytest.raises(RequestError, match="not empty"):
        forecaster.save(tmp_path / "saved")
    with pytest.raises(ModelUnknown):
        almanac.load("starter").save(tmp_path / "starter")


@pytest.mark.usefixtures("seen")
def test_the_first_version_of_a_name_is_its_champion(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is loaded from MLflow, with its alias; the starter's name is not free."""
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path))
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    forecaster = almanac.Forecaster(horizon=6, name="sales").fit(months("a"))

    assert forecaster.register() == "1"

    loaded = almanac.load("sales@champion")
    assert (loaded.name, loaded.version, loaded.alias) == ("sales", "1", "champion")
    with pytest.raises(ConfigInvalid, match="reserved"):
        forecaster.register("starter")


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize(
    ("settings", "words"), [({"units_": 3}, "units_"), ({"architecture": "lstn"}, "lstn"), ({"horizon": 0}, "horizon")]
)
def test_a_wrong_setting_is_said(settings: dict[str, object], words: str) -> None:
    """Before anything is fitted."""
    with pytest.raises(ConfigInvalid, match=words):
        almanac.Forecaster(**settings).fit(months("a"))  # type: ignore[arg-type]


def test_training_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the train extra, and without a fit."""
    with pytest.raises(RequestError, match=r"fit\(df\)"):
        almanac.Forecaster().predict()
    monkeypatch.setitem(sys.modules, "training.pipeline.candidates", None)
    with pytest.raises(ExtraMissing, match="pip install"):
        almanac.Forecaster().fit(months("a"))
