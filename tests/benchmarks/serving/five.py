"""Five models: registers four LSTMs with different weights and an ensemble, as training would, without training.

python -m tests.benchmarks.serving.five LSTM_HOME ENSEMBLE_HOME        (into ALMANAC_HOME)
"""

import os
import shutil
import sys
from pathlib import Path

import onnx
from onnx import numpy_helper

from models import artifact
from models.spec import ModelSpec
from tests.benchmarks.serving.prepare import registered_artifact
from tests.system.registration import example, registry_at

CHANGE = 1e-3
"""Relative change of the weights from one network to the next."""


def vary(source: Path, folder: Path, factor: float) -> Path:
    """Write an artifact whose matrices are those of another times a factor, with its own golden forecasts."""
    shutil.copytree(source, folder)
    network = onnx.load(folder / artifact.NETWORK)
    for one in network.graph.initializer:
        weights = numpy_helper.to_array(one)
        if weights.ndim > 1 and weights.dtype.kind == "f":
            one.CopyFrom(numpy_helper.from_array(weights * weights.dtype.type(factor), one.name))
    network.doc_string = f"{folder.name}"
    onnx.save(network, folder / artifact.NETWORK)
    artifact.save(folder, ModelSpec.from_json((folder / artifact.SPEC).read_text(encoding="utf-8")))
    return folder


def register_five(lstm: Path, ensemble: Path, home: Path) -> None:
    """Register `lstm-1` to `lstm-4` and `ensemble`, each as champion of its name."""
    folders = [vary(lstm, home / f"lstm-{place}", 1 + place * CHANGE) for place in range(1, 5)]
    shutil.copytree(ensemble, home / "ensemble")
    with registry_at(f"sqlite:///{home / 'mlflow.db'}", home) as registry:
        for folder in [*folders, home / "ensemble"]:
            run = registry.start(folder.name, folder.name, tags={"almanac.kind": "benchmark"})
            uri = registry.models.log_model(run, folder, example())
            registry.finish(run)
            number = registry.models.register(folder.name, uri, run_id=run, tags={"architecture": "lstm"})
            registry.models.promote(folder.name, number)


if __name__ == "__main__":
    own = Path(os.environ["ALMANAC_HOME"])
    register_five(registered_artifact(Path(sys.argv[1])), registered_artifact(Path(sys.argv[2])), own)
