"""Calls: what other people's clients ask an Almanac for, each client unmodified and in its own environment.

Run as `python calls.py URL`; the results are one JSON object on standard output, by the name of the call. The service has the
starter, the daily model `visitors`, and `sales`, daily, with the covariate `price` that is known ahead.
"""

import asyncio
import json
import logging
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import tritonclient.http
from kserve.inference_client import InferenceRESTClient, RESTConfig
from kserve.protocol.infer_type import InferInput, InferRequest
from kserve.protocol.rest.timeseries import ForecastRequest, ForecastResponse
from nixtla import NixtlaClient

KEY = "alm_test"
AMPLITUDE = 10.0
ERRORS = 400
"""Characters of an error that are kept."""


def season(count: int, *, first: int = 0) -> Any:  # noqa: ANN401 (numpy's)
    """Return a clean season of months."""
    return 100 + AMPLITUDE * np.sin(2 * np.pi * np.arange(first, first + count) / 12)


def months(series: int, count: int = 96) -> pd.DataFrame:
    """Return a long frame of clean seasons."""
    dates = pd.date_range("2015-01-01", periods=count, freq="MS")
    frames = [
        pd.DataFrame({"unique_id": f"s{name}", "ds": dates, "y": season(count) + name % 7}) for name in range(series)
    ]
    return pd.concat(frames, ignore_index=True)


def nixtla_client(url: str) -> NixtlaClient:
    """Return the client, which does not try again."""
    return NixtlaClient(api_key=KEY, base_url=url, max_retries=1)


def season_error(url: str) -> dict[str, Any]:
    """Return the mean error of a clean season, and the bounds of two levels."""
    found = nixtla_client(url).forecast(months(2), h=12, level=[80, 95], freq="MS")
    truth = np.concatenate([season(12, first=96) + name for name in range(2)])
    bounds = [f"TimeGPT-{side}" for side in ("lo-95", "lo-80", "hi-80", "hi-95")]
    ordered = (np.diff(found[[*bounds[:2], "TimeGPT", *bounds[2:]]].to_numpy(), axis=1) >= 0).all()
    return {
        "error": float(np.abs(found["TimeGPT"] - truth).mean() / AMPLITUDE),
        "ordered": bool(ordered),
        "rows": len(found),
    }


def many_series(url: str) -> dict[str, Any]:
    """Return the forecast of 1,000 series, which go compressed with zstd, whole and in four parts."""
    frame = months(1000)
    client = nixtla_client(url)
    whole, parts = (client.forecast(frame, h=12, level=[80], num_partitions=one)["TimeGPT"] for one in (None, 4))
    return {"rows": len(whole), "difference": float(np.abs(whole - parts).max())}


def with_gaps(url: str) -> list[float]:
    """Return the forecast of a series with gaps."""
    frame = months(1)
    frame.loc[[5, 40, 41], "y"] = np.nan
    return rounded(nixtla_client(url).forecast(frame, h=2, freq="MS")["TimeGPT"])


def days(count: int) -> pd.DataFrame:
    """Return a daily series with a price."""
    dates = pd.date_range("2024-01-01", periods=count, freq="D")
    return pd.DataFrame({"unique_id": "a", "ds": dates, "y": np.arange(count) % 7.0, "price": np.arange(count) % 2.0})


def with_price(url: str) -> list[float]:
    """Return the forecast of a model that reads a price known ahead."""
    frame = days(63)
    ahead = frame.tail(3)[["unique_id", "ds", "price"]]
    found = nixtla_client(url).forecast(frame.head(60), X_df=ahead, h=3, freq="D", model="sales")
    return rounded(found["TimeGPT"])


def anomalies(url: str) -> dict[str, Any]:
    """Return where a value of a clean season that is wrong is found, in the whole history and online."""
    frame = months(2)
    frame["y"] += np.where(frame.index == 90, 10 * AMPLITUDE, 0.0)
    client = nixtla_client(url)
    whole = client.detect_anomalies(frame, freq="MS", level=99)
    online = client.detect_anomalies_online(frame, h=3, detection_size=12, freq="MS", level=99)
    wrong = frame.loc[90, "ds"]
    return {
        name: [bool(found.loc[(found["ds"] == wrong) & (found["unique_id"] == "s0"), "anomaly"].all()), len(found)]
        for name, found in {"whole": whole, "online": online}.items()
    }


def rolling(url: str) -> dict[str, Any]:
    """Return how many rows a cross-validation and a forecast with its history have."""
    client = nixtla_client(url)
    validated = client.cross_validation(months(2), h=6, n_windows=3, step_size=2, level=[80], freq="MS")
    history = client.forecast(months(2), h=3, freq="MS", add_history=True)
    return {
        "rows": len(validated),
        "cutoffs": validated["cutoff"].nunique(),
        "error": float(np.abs(validated["TimeGPT"] - validated["y"]).mean() / AMPLITUDE),
        "history": len(history),
    }


def triton_client(url: str) -> Any:  # noqa: ANN401 (Triton's)
    """Return the client."""
    return tritonclient.http.InferenceServerClient(url.removeprefix("http://"))


def triton_inputs(values: Any, *, binary: bool = True, **texts: str) -> list[Any]:  # noqa: ANN401 (numpy's)
    """Return the tensors of a request for 3 steps."""
    inputs = [
        tritonclient.http.InferInput("values", values.shape, "FP64").set_data_from_numpy(values, binary_data=binary)
    ]
    inputs.append(tritonclient.http.InferInput("horizon", [1], "INT64").set_data_from_numpy(np.array([3])))
    for name, text in texts.items():
        inputs.append(
            tritonclient.http.InferInput(name, [1], "BYTES").set_data_from_numpy(np.array([text], dtype=object))
        )
    return inputs


def triton(url: str) -> dict[str, Any]:
    """Return what Triton's client sees of the starter, and its forecasts as binary data and as JSON."""
    client = triton_client(url)
    inputs = triton_inputs(np.stack([season(96), season(96)]), start="2015-01-01", frequency="MS")
    binary = client.infer("starter", inputs)
    wanted = [tritonclient.http.InferRequestedOutput(name, binary_data=False) for name in ("median", "lower")]
    plain = client.infer("starter", triton_inputs(season(96), binary=False, frequency="MS"), outputs=wanted)
    return {
        "live": client.is_server_live(),
        "ready": [client.is_server_ready(), client.is_model_ready("starter"), client.is_model_ready("unknown")],
        "inputs": client.get_model_metadata("starter")["inputs"][0]["name"],
        "median": rounded(binary.as_numpy("median")[1]),
        "timestamps": [text.decode() for text in binary.as_numpy("timestamps")[0]],
        "plain": rounded(plain.as_numpy("median")[0]),
        "shape": list(plain.as_numpy("lower").shape),
    }


def kserve(url: str) -> dict[str, Any]:
    """Return what KServe's client sees of the starter, its forecasts by tensors and of time series."""
    values = season(96).reshape(1, 96)

    async def ask() -> dict[str, Any]:
        client, older = (InferenceRESTClient(RESTConfig(protocol=protocol)) for protocol in ("v2", "v1"))
        medians = []
        for binary in (True, False):
            tensor = InferInput("values", list(values.shape), "FP64")
            tensor.set_data_from_numpy(values, binary_data=binary)
            request = InferRequest("starter", [tensor], request_id="1", parameters={"horizon": 3, "frequency": "MS"})
            medians.append(rounded((await client.infer(url, request, model_name="starter")).outputs[0].as_numpy()[0]))
        series = {"type": "univariate_time_series", "name": "a", "series": values[0].tolist(), "frequency": "month"}
        body = {
            "model": "default",
            "inputs": [{**series, "start_timestamp": "2015-01-01T00:00:00"}],
            "options": {"horizon": 3, "quantiles": [0.1, 0.5]},
        }
        sent = ForecastRequest(**body).model_dump(mode="json")
        response = ForecastResponse(**await older.infer(f"{url}/v1/timeseries/forecast", sent, is_graph_endpoint=True))
        return {
            "live": await client.is_server_live(url),
            "ready": [await client.is_server_ready(url), await client.is_model_ready(url, "unknown")],
            "ready_v1": await older.is_model_ready(url, "starter"),
            "live_v1": await older.is_server_live(url),
            "predicted": await older.infer(url, {"instances": values.tolist(), "horizon": 3}, model_name="starter"),
            "medians": medians,
            "start": response.outputs[0].content[0].start_timestamp,
            "series": rounded((response.outputs[0].content[0].quantiles or {})["0.5"]),
        }

    return asyncio.run(ask())


def kserve_error(url: str, path: str) -> object:
    """Return what a wrong request raises."""
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    return asyncio.run(client.infer(f"{url}{path}", {"inputs": [], "model": "x"}, is_graph_endpoint=True))


def rounded(values: Any) -> list[float]:  # noqa: ANN401 (any sequence of numbers)
    """Return numbers with six decimals."""
    return [round(float(value), 6) for value in values]


CALLS: Mapping[str, Callable[[str], Any]] = {
    "key": lambda url: nixtla_client(url).validate_api_key(log=False),
    "usage": lambda url: nixtla_client(url).usage(),
    "models": lambda url: nixtla_client(url).list_models(),
    "season": season_error,
    "quantiles": lambda url: [
        *nixtla_client(url).forecast(months(1), h=2, freq="MS", quantiles=[0.1, 0.5, 0.9]).columns
    ],
    "many": many_series,
    "gaps": with_gaps,
    "short": lambda url: rounded(nixtla_client(url).forecast(months(1, 2), h=2, freq="MS")["TimeGPT"]),
    "price": with_price,
    "anomalies": anomalies,
    "rolling": rolling,
    "too_short": lambda url: nixtla_client(url).cross_validation(months(1, 5), h=4, n_windows=2, freq="MS"),
    "wrong_frequency": lambda url: nixtla_client(url).forecast(months(1), h=2, freq="MS", model="visitors"),
    "exogenous": lambda url: nixtla_client(url).forecast(months(1), h=2, freq="MS", date_features=["month"]),
    "finetune": lambda url: nixtla_client(url).forecast(months(1), h=2, freq="MS", finetune_steps=5),
    "simulate": lambda url: nixtla_client(url).simulate(months(1), h=2, freq="MS", n_paths=3),
    "unknown": lambda url: nixtla_client(url).forecast(months(1), h=2, freq="MS", model="unknown"),
    "categories": lambda url: nixtla_client(url).forecast(
        months(1).assign(kind="a"), h=2, freq="MS", hist_exog_list=["kind"], categorical_exog_list=["kind"]
    ),
    "explain": lambda url: nixtla_client(url).explain(days(60), freq="D"),
    "triton": triton,
    "triton_statistics": lambda url: triton_client(url).get_inference_statistics(),
    "triton_classes": lambda url: triton_client(url).infer(
        "starter",
        triton_inputs(season(96), frequency="MS"),
        outputs=[tritonclient.http.InferRequestedOutput("median", class_count=2)],
    ),
    "triton_error": lambda url: triton_client(url).infer("starter", triton_inputs(np.full(3, np.nan))),
    "triton_unknown": lambda url: triton_client(url).get_model_metadata("unknown"),
    "kserve": kserve,
    "kserve_error": lambda url: kserve_error(url, "/v1/timeseries/forecast"),
    "kserve_v2_error": lambda url: kserve_error(url, "/v2/models/starter/infer"),
}


def main(url: str) -> dict[str, Any]:
    """Return the result of each call; of an error its type and text."""
    results: dict[str, Any] = {}
    for name, call in CALLS.items():
        try:
            results[name] = call(url)
        except Exception as error:  # noqa: BLE001 (the test looks at each)
            results[name] = {"type": type(error).__name__, "text": str(error)[:ERRORS]}
    return results


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    print(json.dumps(main(sys.argv[1]), default=str))  # noqa: T201 (the result)
