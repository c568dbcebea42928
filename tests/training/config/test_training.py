from dataclasses import fields
from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from models.jobs.config_tables import TABLES
from training.config.fit import FitConfig
from training.config.retrain import RetrainConfig
from training.config.toml import read_config
from training.config.training import BASELINES, Columns, TrainConfig, train_config


def test_a_configuration_is_read_once_and_typed(tmp_path: Path) -> None:
    """A TOML file becomes a frozen value; its data path is relative to the file."""
    path = tmp_path / "c.toml"
    path.write_text('data = "d.csv"\nhorizon = 12\narchitecture = ["lstm"]\n[fit]\nunits = 32\ndilations = [1, 2]\n')

    config = train_config(read_config(path))

    assert config.data == tmp_path / "d.csv"
    assert config.architecture == ("lstm",)
    assert config.fit == FitConfig(units=32, dilations=(1, 2))


def test_the_name_is_the_files_stem_where_none_is_given() -> None:
    """A model is named for its data unless a person names it."""
    assert TrainConfig(Path("weather.csv"), 12).name == "weather"
    assert TrainConfig(Path("weather.csv"), 12, name="rain").name == "rain"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"horizn": 3}, "Did you mean horizon?"),
        ({"data": "x.csv", "horizon": 3, "fit": {"unit": 3}}, "Did you mean fit.units?"),
        ({"data": "x.csv", "horizon": 3, "architecture": ["ltsm"]}, "Did you mean lstm?"),
        ({"data": "x.csv", "horizon": "3"}, "horizon must be a whole number"),
        ({"data": "x.csv", "horizon": 0}, "at least 1"),
        ({"data": "x.csv", "horizon": 3, "seed": -1}, "seed must be at least 0"),
        ({"data": "x.csv", "horizon": 3, "fit": {"units": True}}, "fit.units must be a whole number"),
        ({"data": "x.csv", "horizon": 3, "fit": {"clip_norm": -1.0}}, "fit.clip_norm"),
        ({"data": "x.csv", "horizon": 3, "fit": {"learning_rate": 0.0}}, "above 0"),
        ({"data": "x.csv", "horizon": 3, "fit": {"max_seconds": float("inf")}}, "finite"),
        ({"data": "x.csv", "horizon": 3, "fit": {"dilations": []}}, "fit.dilations must be a list"),
        ({"data": "x.csv", "horizon": 3, "fit": {"shape": "one_to_on"}}, "Did you mean one_to_one?"),
        ({"data": "x.csv", "horizon": 3, "fit": {"synthetic_share": -0.1}}, "fit.synthetic_share must be at least 0"),
        ({"data": "x.csv", "horizon": 3, "fit": {"synthetic_share": 1.0}}, "fit.synthetic_share must be at most 0.9"),
        ({"data": "x.csv", "horizon": 3, "fit": {"synthetic_share": 0.5, "shape": "one_to_many"}}, "have the shape"),
        ({"data": "x.csv", "horizon": 3, "fit": {"synthetic_share": 0.5, "context_length": 1}}, "have the shape"),
        ({"data": "x.csv", "horizon": 3, "fit": {"synthetic_share": 0.5}, "holidays": ["DE"]}, "have no covariates"),
        ({"data": "x.csv", "horizon": 3, "fit": 3}, "must be a table"),
        ({"data": "x.csv", "horizon": 3, "name": "a/b"}, "name"),
        ({"data": "x.csv", "horizon": 3, "architecture": []}, "No architecture"),
        ({"data": "x.csv", "horizon": 3, "architecture": ["lstm", "lstm"]}, "repeated"),
        ({"data": 3, "horizon": 3}, "must be a path"),
        ({"horizon": 3}, "No data given"),
    ],
)
def test_what_is_wrong_is_refused_with_the_remedy(settings: dict[str, object], words: str) -> None:
    """Each wrong setting is a ConfigInvalid that says what was met and what would do."""
    with pytest.raises(ConfigInvalid, match=words.replace("?", r"\?")):
        train_config(settings)


def test_a_shape_of_one_step_takes_no_longer_horizon() -> None:
    """One value to one value is one step ahead: more steps are refused before anything is trained."""
    settings = {"data": "d.csv", "fit": {"shape": "one_to_one"}}

    assert train_config({**settings, "horizon": 1}).fit.shape == "one_to_one"
    with pytest.raises(ConfigInvalid, match=r"one_to_one has a horizon of 1\. Received: 6"):
        train_config({**settings, "horizon": 6})


def test_the_naive_is_always_among_the_baselines() -> None:
    """Skill is measured by it."""
    settings = {"data": "d.csv", "horizon": 3}

    assert train_config({**settings, "baselines": ["auto_ets"]}).baselines == ("seasonal_naive", "auto_ets")
    assert train_config(settings).baselines == BASELINES


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"baselines": ["auto_est"]}, "Did you mean auto_ets"),
        ({"baselines": []}, "No baseline given"),
        ({"baselines": ["climatology", "climatology"]}, "baseline climatology is repeated"),
        ({"baseline_series": 0}, "at least 1. Received: 0"),
    ],
)
def test_baselines_that_are_none_are_refused(setting: dict[str, object], words: str) -> None:
    """Near matches and remedies, before anything is fitted."""
    with pytest.raises(ConfigInvalid, match=words):
        train_config({"data": "d.csv", "horizon": 3, **setting})


def test_a_country_is_known_in_small_letters_too() -> None:
    """As people type it; the covariate's name is the same."""
    config = TrainConfig(Path("d.csv"), 12, holidays=("de", "FR"))

    assert config.holidays == ("DE", "FR")
    assert config.covariates.future == ("holidays_DE", "holidays_FR")


def test_one_network_is_no_ensemble() -> None:
    """The error says what an ensemble needs, not what the network is called."""
    with pytest.raises(ConfigInvalid, match=r"needs two networks or more; there is one: lstm\. Give --seeds 2"):
        TrainConfig(Path("d.csv"), 12, architecture=("lstm",), pick="ensemble")


def test_covariates_and_holidays_are_names_of_columns() -> None:
    """Holidays are a covariate known ahead, counted rather than read."""
    config = TrainConfig(
        Path("d.csv"), 12, past_covariates=("traffic",), future_covariates=("price",), holidays=("DE", "FR")
    )

    assert config.covariates.all == ("traffic", "price", "holidays_DE", "holidays_FR")
    assert config.covariates.read == ("traffic", "price")
    assert not TrainConfig(Path("d.csv"), 12).covariates


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"holidays": ["Germany"]}, "Did you mean DE"),
        ({"past_covariates": ["a"], "future_covariates": ["a"]}, "in past_covariates and in future_covariates"),
        ({"past_covariates": ["a", "a"]}, "a name twice"),
        ({"past_covariates": "a"}, "past_covariates must be"),
    ],
)
def test_covariates_that_cannot_be_are_refused(settings: dict[str, object], words: str) -> None:
    """Before anything is read."""
    with pytest.raises(ConfigInvalid, match=words):
        train_config({"data": "d.csv", "horizon": 3, **settings})


def test_the_service_knows_every_setting() -> None:
    """POST /jobs refuses the names that the typed tables do not have, and no others."""
    typed = {"columns": Columns, "fit": FitConfig, "retrain": RetrainConfig}

    assert {name: {item.name for item in fields(table)} for name, table in typed.items()} == {
        name: {*names} for name, names in TABLES.items()
    }


def test_the_starters_are_among_the_candidates_unless_the_shape_is_another() -> None:
    """They have the default shape alone; four candidates otherwise."""
    shaped = {"data": "x.csv", "horizon": 1, "fit": {"shape": "one_to_one"}}

    assert train_config({"data": "x.csv", "horizon": 3}).architecture == ("starter", "starter_tuned", "lstm", "wavenet")
    assert train_config(shaped).architecture == ("lstm", "wavenet")
