"""Flavours: writes one network as MLflow models of the ONNX and the Keras flavour, `FOLDER/onnx` and `FOLDER/keras`.

python -m tests.benchmarks.serving.peers.flavours HOME FOLDER
"""

import sys
from pathlib import Path

import keras
import mlflow.onnx
import mlflow.tensorflow
import numpy as np
import onnx
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from models.artifact import NETWORK, WEIGHTS
from models.networks.ensemble import load_network
from tests.benchmarks.serving.bodies import HORIZON, MONTHS, QUANTILES
from tests.benchmarks.serving.prepare import registered_artifact


def write(artifact: Path, folder: Path) -> None:
    """Write both."""
    doubles, whole = np.dtype(np.float64), np.dtype(np.int32)
    inputs = Schema([TensorSpec(doubles, (-1, MONTHS), "context"), TensorSpec(whole, (-1,), "phase")])
    signature = ModelSignature(inputs, Schema([TensorSpec(doubles, (-1, HORIZON, len(QUANTILES)))]))
    mlflow.onnx.save_model(
        onnx.load(artifact / NETWORK),
        folder / "onnx",
        signature=signature,
        pip_requirements=[],
        onnx_execution_providers=["CPUExecutionProvider"],
        onnx_session_options={"intra_op_num_threads": 1, "inter_op_num_threads": 1},
    )
    network = load_network(artifact / WEIGHTS)
    layers = keras.saving.get_custom_objects()
    mlflow.tensorflow.save_model(
        network, folder / "keras", signature=signature, pip_requirements=[], custom_objects=layers
    )


if __name__ == "__main__":
    write(registered_artifact(Path(sys.argv[1])), Path(sys.argv[2]))
