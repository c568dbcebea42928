from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from training.config.fit import FitConfig
from training.config.training import TrainConfig
from training.registry.parameters import run_params

CONFIG = TrainConfig(Path("weather.csv"), 12, seed=3, fit=FitConfig(max_steps=30, dilations=(1, 2)), unit="mm")


def described(architecture: str = "") -> dict[str, Any]:
    """Return what provenance describes of a run of an architecture, or of the whole comparison."""
    return {"config": asdict(CONFIG), **({"architecture": architecture, "seed": 4} if architecture else {})}


def test_a_network_has_the_usual_settings_and_those_that_were_changed() -> None:
    """Whoever sets something sees it in the table."""
    found = run_params(described("lstm"))

    assert found == {
        "architecture": "lstm",
        "seed": 4,
        "horizon": 12,
        "fit.units": 64,
        "fit.layers": 2,
        "fit.learning_rate": 0.003,
        "fit.max_steps": 30,
        "fit.dilations": "1, 2",
    }


def test_the_starter_has_no_settings_of_fit_and_a_comparison_has_its_candidates() -> None:
    """The shipped starter is not fitted."""
    assert run_params(described("starter")) == {"architecture": "starter", "seed": 4, "horizon": 12}
    assert run_params({"config": asdict(replace(CONFIG, architecture=("lstm",)))})["architecture"] == "lstm"
