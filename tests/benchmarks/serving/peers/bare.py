"""Bare route: FastAPI reads the body and returns prepared bytes: what no service of this kind exceeds.

python -m tests.benchmarks.serving.peers.bare PORT FILE
"""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import Response

ANSWER = Path(sys.argv[2]).read_bytes()

app = FastAPI()


@app.get("/ping")
def ping() -> None:
    """Return 200."""


@app.post("/forecast")
async def forecast(request: Request) -> Response:
    """Return the prepared bytes."""
    await request.body()
    return Response(ANSWER, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
