from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from models.retraining.thresholds import Thresholds
from training.config.retrain import RetrainConfig
from training.config.toml import merge, parse_override, read_config
from training.config.training import train_config


def test_a_table_of_the_configuration_says_when_to_retrain(tmp_path: Path) -> None:
    """[retrain] becomes a frozen value; an override wins over it; what is not said keeps its default."""
    path = tmp_path / "c.toml"
    path.write_text('data = "d.csv"\nhorizon = 12\n[retrain]\nskill_below = 0.1\nnew_observations = 500\n')

    config = train_config(merge(read_config(path), parse_override("retrain.origins=5")))

    assert config.retrain == RetrainConfig(skill_below=0.1, new_observations=500, origins=5)
    assert train_config({"data": "d.csv", "horizon": 12}).retrain == RetrainConfig()


def test_training_and_service_share_the_thresholds() -> None:
    """What is set in the table is what the pure judgement goes by, and both have the same defaults."""
    assert RetrainConfig(decay=1.5, window=36).thresholds() == Thresholds(decay=1.5, window=36)
    assert RetrainConfig().thresholds() == Thresholds()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"skil_below": 0.1}, "Did you mean retrain.skill_below"),
        ({"skill_below": "0"}, "retrain.skill_below must be a number"),
        ({"skill_below": 1.0}, "below 1"),
        ({"skill_below": float("nan")}, "finite"),
        ({"coverage_off": 0.0}, "retrain.coverage_off must be above 0"),
        ({"coverage_off": 0.81}, "retrain.coverage_off must be at most 0.8"),
        ({"drift": -1}, "retrain.drift must be above 0"),
        ({"decay": float("inf")}, "finite"),
        ({"new_observations": 0}, "retrain.new_observations must be at least 1"),
        ({"window": 0}, "retrain.window must be at least 1"),
        ({"min_scores": 0}, "retrain.min_scores must be at least 1"),
        ({"origins": 0}, "retrain.origins must be at least 1"),
        ({"warm_start": 1}, "retrain.warm_start must be true or false"),
        ({"timeout_seconds": 0}, "retrain.timeout_seconds must be above 0"),
        ({"memory_mb": 0}, "retrain.memory_mb must be at least 1"),
    ],
)
def test_what_no_retraining_could_use_is_refused(table: dict[str, object], words: str) -> None:
    """Each wrong setting is a ConfigInvalid that names it and the value met."""
    with pytest.raises(ConfigInvalid, match=words):
        train_config({"data": "d.csv", "horizon": 12, "retrain": table})
