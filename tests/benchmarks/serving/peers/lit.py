"""LitServe around the same ONNX file, run by the Python of its own environment.

python lit.py PORT NETWORK.onnx
"""

import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime


class Forecast(litserve.LitAPI):  # type: ignore[misc] # without types here
    """The network with one thread, as Almanac runs it."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's signature
        """Open the network."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(sys.argv[2], options, providers=["CPUExecutionProvider"])

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the inputs of the network."""
        inputs = request["inputs"]
        return {"context": np.array(inputs["context"]), "phase": np.array(inputs["phase"], dtype=np.int32)}

    def predict(self, x: dict[str, Any]) -> Any:  # noqa: ANN401 - LitServe's signature
        """Return the quantiles."""
        return self.session.run(None, x)[0]

    def encode_response(self, output: Any) -> dict[str, Any]:  # noqa: ANN401 - LitServe's signature
        """Return the quantiles as JSON."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Forecast(api_path="/forecast"), accelerator="cpu", workers_per_device=1)
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False, log_level="warning")
