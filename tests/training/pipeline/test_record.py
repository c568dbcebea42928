"""What a comparison leaves in MLflow to look at."""

import json
from pathlib import Path

from tests.training.conftest import MakeRuntime
from tests.training.fakes import make_fit
from training.config.training import TrainConfig
from training.pipeline.train import train
from training.registry.client import Registry


def test_figures_and_decision_are_in_mlflow(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """The candidate's run has five figures; the run of the comparison has the decision."""
    config = TrainConfig(data_file, 12, architecture=("lstm",), baselines=("seasonal_naive",))

    outcome = train(config, registry, make_runtime(make_fit()))

    client, run_id = registry._client, outcome.compared.winner.run_id
    names = {Path(item.path).stem for item in client.list_artifacts(run_id, "figures")}
    assert names == {"forecast_against_truth", "error_by_step", "memory", "gradient_norms", "learning"}
    decision = json.loads(Path(client.download_artifacts(outcome.run_id, "decision.json")).read_text())
    assert decision == json.loads(json.dumps(outcome.decision.to_dict()))
