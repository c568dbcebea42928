"""Curves: what training, serving and accuracy cost as the work grows, in seconds of the processor."""

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
from sqlalchemy import insert

from service.store.database import Database
from service.store.scoring.rollups import add_sums
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import GroupKey, sum_scores
from service.store.tables import forecasts, scores
from tests.benchmarks.ledger import send_requests, serving
from tests.prove.ray_environment import environment

HORIZON, SCHEDULE = 12, 100
"""Steps of a forecast, and training steps of a network."""

MONTH, DAY = 30 * 86_400_000_000, 86_400_000_000
PAGE = 500
"""Forecasts that are inserted together."""

FIT = """
import sys
from pathlib import Path
from training.config.fit import FitConfig
from training.data.series_set import read_series
from training.fit.candidate import TrainingSet
from training.fit.factory import make_candidate
from training.fit.request import FitRequest
folder, steps = Path(sys.argv[1]), int(sys.argv[2])
data = read_series(folder / "0000.parquet")
whole = TrainingSet(data.series, data.frequency.name, 12, data.digest)
config = FitConfig(max_steps=steps, context_length=24, encoder_length=13, transform="none", calendar=True, synthetic_share=0.0)
make_candidate(FitRequest(training_set=whole, architecture="lstm", name="scale", seed=0, config=config, directory=folder / "made"))
"""


def training_seconds(folder: Path) -> float:
    """Return the seconds of the processor that reading a file and one network of SCHEDULE steps take, in a new process."""
    before = _children()
    subprocess.run([sys.executable, "-c", FIT, str(folder), str(SCHEDULE)], check=True, env=environment())  # noqa: S603
    return _children() - before


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def serving_cost(replicas: int, seconds: float = 5.0) -> tuple[float, float]:
    """Return microseconds of the processor a request, and requests a second, of replicas that are asked at once."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        services = [stack.enter_context(serving(Path(folder) / str(one), "", "off")) for one in range(replicas)]
        for one in services:
            send_requests(one, 1.0)
        processes = [psutil.Process(one.process.pid) for one in services]
        before = sum(sum(one.cpu_times()[:2]) for one in processes)
        counts, began = [0] * replicas, time.perf_counter()

        def ask(place: int) -> None:
            counts[place] = send_requests(services[place], seconds)

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(replicas)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        used = sum(sum(one.cpu_times()[:2]) for one in processes) - before
        return 1e6 * used / sum(counts), sum(counts) / (time.perf_counter() - began)


def accuracy_cost(count: int) -> dict[str, float]:
    """Return milliseconds of the processor that `GET /accuracy` takes in SQLite with so many scores: by step, and by series."""
    with tempfile.TemporaryDirectory() as folder, closing(Database(f"sqlite:///{folder}/almanac.db")) as database:
        database.migrate()
        for first in range(0, count // HORIZON, PAGE):
            _insert(database, range(first, min(first + PAGE, count // HORIZON)))
        found = dict[str, float]()
        last: tuple[GroupKey, GroupKey] = ("step", "series")
        for name in last:
            began = time.process_time()
            sum_scores(database, ScoreFilter(), ("model", "version", name), limit=100_000)
            found[name] = 1e3 * (time.process_time() - began)
        return found


def _insert(database: Database, numbers: Sequence[int]) -> None:
    """Insert scored forecasts of a thousand series, a month apart."""
    rows, marks = [], []
    for number in numbers:
        made = number // 1_000 * MONTH
        name = f"{number:036d}"
        known = {
            "forecast_id": name,
            "made_at": made,
            "model": "shops",
            "version": "1",
            "series_id": f"s{number % 1_000}",
        }
        blobs = dict.fromkeys(("quantiles", "median", "naive"), b"")
        rows.append(
            {
                **known,
                **blobs,
                "style": "YYYY-MM",
                "horizon": HORIZON,
                "levels": "[0.5]",
                "context_used": 60,
                "scale": 1.0,
            }
            | {"first_timestamp": made + MONTH, "last_timestamp": made + HORIZON * MONTH, "counted": HORIZON}
        )
        for step in range(1, HORIZON + 1):
            at = made + step * MONTH
            errors = dict.fromkeys(("absolute_scaled_error", "naive_scaled_error", "pinball", "scaled_pinball"), 1.0)
            marks.append(
                {"forecast_id": name, "step": step, "timestamp": at, "observed": 1.0, "scored_at": at, "day": at // DAY}
                | {**errors, "covered_80": True, "covered_95": True, "counts": True}
            )
    with database.writing() as connection:
        connection.execute(insert(forecasts), rows)
        connection.execute(insert(scores), marks)
        add_sums(connection, [(str(row["forecast_id"]), step) for row in rows for step in range(1, HORIZON + 1)])


if __name__ == "__main__":
    print(json.dumps(accuracy_cost(int(sys.argv[1]))))  # noqa: T201 - for a look
