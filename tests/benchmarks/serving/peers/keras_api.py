"""FastAPI around Keras: what a tutorial shows, `predict` in a route.

python -m tests.benchmarks.serving.peers.keras_api PORT NETWORK.keras
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI

from models.networks.ensemble import load_network

network = load_network(Path(sys.argv[2]))

app = FastAPI()


@app.get("/ping")
def ping() -> None:
    """Return 200."""


@app.post("/forecast")
def forecast(body: dict[str, Any]) -> dict[str, Any]:
    """Return the quantiles of the network."""
    inputs = body["inputs"]
    tensors = {"context": np.array(inputs["context"]), "phase": np.array(inputs["phase"], dtype=np.int32)}
    return {"predictions": network.predict(tensors, verbose=0).tolist()}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
