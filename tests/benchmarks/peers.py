"""Peers: run by the Python of .venv-bench on histories in a CSV; writes their forecasts and what they took as JSON.

    python peers.py HISTORIES.csv HORIZON OUTPUT.json
    python peers.py speed SERIES.csv '{"horizon": 24, "context": 48, "batch": 256, …}'

The second form prints the windows a second that neuralforecast's LSTM trains on. Gaps are filled by linear interpolation before the peers see a series: they refuse NaN.
"""

import json
import logging
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

STEPS = 300
SEED = 0
SEASON = 12
LATENCY_CALLS = 5
QUIET: dict[str, Any] = {
    "enable_progress_bar": False,
    "logger": False,
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "accelerator": "cpu",
}


def read(path: Path) -> pd.DataFrame:
    """Return histories without gaps: `unique_id`, `ds`, `y`, every month of each series."""
    frame = pd.read_csv(path, parse_dates=["ds"])
    filled = [
        one.set_index("ds")["y"].asfreq("MS").interpolate().rename_axis("ds").reset_index().assign(unique_id=name)
        for name, one in frame.groupby("unique_id")
    ]
    return pd.concat(filled, ignore_index=True)[["unique_id", "ds", "y"]]


def neural(histories: pd.DataFrame, horizon: int) -> dict[str, Any]:
    """Return what neuralforecast's LSTM and NHITS forecast, how long training took and one prediction takes."""
    from neuralforecast import NeuralForecast
    from neuralforecast.models import LSTM, NHITS

    common = {"h": horizon, "input_size": 60, "max_steps": STEPS, "random_seed": SEED, "scaler_type": "robust"}
    results = {}
    for name, model in {"neuralforecast LSTM": LSTM, "neuralforecast NHITS": NHITS}.items():
        forecaster = NeuralForecast([model(**common, **QUIET)], freq="MS")
        seconds = timed(partial(forecaster.fit, histories))
        table = forecaster.predict()
        one = histories[histories["unique_id"] == "nottingham"]
        latency = [timed(partial(forecaster.predict, one)) for _ in range(LATENCY_CALLS)]
        results[name] = row(table, seconds, statistics.median(latency))
    return results


def classical(histories: pd.DataFrame, horizon: int) -> dict[str, Any]:
    """Return what statsforecast's AutoETS and Theta forecast; fitting is part of every prediction."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS, DynamicOptimizedTheta

    results = {}
    for name, model in {"AutoETS": AutoETS, "Theta": DynamicOptimizedTheta}.items():
        forecaster = StatsForecast([model(season_length=SEASON)], freq="MS", n_jobs=1)
        one = histories[histories["unique_id"] == "nottingham"]
        forecaster.forecast(df=one, h=horizon)
        began = time.perf_counter()
        table = forecaster.forecast(df=histories, h=horizon)
        seconds = time.perf_counter() - began
        latency = timed(partial(forecaster.forecast, df=one, h=horizon))
        results[f"statsforecast {name}"] = row(table, seconds, latency)
    return results


def windows_a_second(series: pd.DataFrame, work: dict[str, int]) -> float:
    """Return windows a second of neuralforecast's LSTM, the first `warm_up` steps left out."""
    from neuralforecast import NeuralForecast
    from neuralforecast.models import LSTM
    from pytorch_lightning.callbacks import LambdaCallback

    ends: list[float] = []
    clock = LambdaCallback(on_train_batch_end=lambda *_, **__: ends.append(time.perf_counter()))
    model = LSTM(
        h=work["horizon"],
        input_size=work["context"],
        encoder_n_layers=work["layers"],
        encoder_hidden_size=work["units"],
        decoder_hidden_size=work["units"],
        windows_batch_size=work["batch"],
        max_steps=work["steps"],
        random_seed=work["seed"],
        callbacks=[clock],
        **QUIET,
    )
    NeuralForecast([model], freq="MS").fit(series)
    counted = len(ends) - work["warm_up"]
    return work["batch"] * counted / (ends[-1] - ends[work["warm_up"] - 1])


def row(table: pd.DataFrame, train_seconds: float, forecast_seconds: float) -> dict[str, Any]:
    """Return one peer's result as plain data."""
    column = next(name for name in table.columns if name not in {"unique_id", "ds", "index"})
    forecasts = {str(name): one[column].tolist() for name, one in table.groupby("unique_id")}
    return {"forecasts": forecasts, "train_seconds": train_seconds, "forecast_ms": 1000 * forecast_seconds}


def timed(call: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    if sys.argv[1] == "speed":
        print(windows_a_second(read(Path(sys.argv[2])), json.loads(sys.argv[3])))  # noqa: T201 - the answer
        sys.exit()
    data = read(Path(sys.argv[1]))
    found = {**neural(data, int(sys.argv[2])), **classical(data, int(sys.argv[2]))}
    Path(sys.argv[3]).write_text(json.dumps(found), encoding="utf-8")
