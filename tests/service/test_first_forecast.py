"""The first forecast of a new installation, by the starters of the package, in a real server."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.service.home import eventually
from tests.service.server_process import NO_REGISTRY, PROGRAM, ServerProcess

if TYPE_CHECKING:
    import httpx

FORBIDDEN = ("tensorflow", "keras", "mlflow", "pandas", "pyarrow", "dbos", "croniter", "rich", "pydantic.v1")
MAX_SECONDS = 10.0
"""Processor time of the server until the first forecast after the installation; the clock of a busy machine says little."""

SERIES: list[dict[str, Any]] = [
    {"id": "bare", "values": [35, 40, 38, 29, 19]},
    *(
        {"id": alias, "start": "2015-01-01", "frequency": alias, "values": [float(step % 7) for step in range(60)]}
        for alias in ("Y", "QS", "MS", "W-WED", "D", "B", "h", "30min", "15min", "5min", "2h", "7s")
    ),
]


def test_a_new_server_forecasts_within_ten_seconds(tmp_path: Path) -> None:
    """Without `model`, with an empty registry; the test below has none."""
    home = tmp_path / "home"
    home.mkdir()
    with closing(sqlite3.connect(home / "mlflow.db")) as store:
        store.execute("CREATE TABLE registered_models (name TEXT)")
    with ServerProcess(home) as server:
        answers: list[httpx.Response] = []

        def answered() -> bool:
            answers.append(server.client.post("/forecast", json={"series": SERIES[:1], "horizon": 3}))
            return answers[-1].status_code == 200

        eventually(answered, "nothing was forecast")
        used = psutil.Process(server.process.pid).cpu_times()
        ready = server.client.get("/health/ready")

    forecast = answers[-1].json()["forecasts"][0]
    assert used.user + used.system < MAX_SECONDS
    assert len(forecast["intervals"]["80"]["lower"]) == 3
    assert (ready.status_code, [one["name"] for one in ready.json()["models"]]) == (200, ["starter"])
    assert (home / "mlflow.db").exists()


def test_every_frequency_is_forecast_without_slow_libraries(tmp_path: Path) -> None:
    """In one request; each interval contains its median."""
    program = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('LOADED', [name for name in {FORBIDDEN} if sys.modules.get(name)]))\n"
        f"{NO_REGISTRY}{PROGRAM}"
    )
    with ServerProcess(tmp_path, program=program) as server:
        answer = server.client.post("/forecast", json={"series": SERIES, "horizon": 3, "model": "starter"}).json()
        for path in ("/metrics", "/openapi.json"):
            server.client.get(path).raise_for_status()

    assert [one["id"] for one in answer["forecasts"]] == [one["id"] for one in SERIES], answer["errors"]
    for one in answer["forecasts"]:
        bounds = one["intervals"]["80"]
        assert all(
            low <= middle <= high
            for low, middle, high in zip(bounds["lower"], one["median"], bounds["upper"], strict=True)
        )
    assert "LOADED []" in server.log(), server.log()
