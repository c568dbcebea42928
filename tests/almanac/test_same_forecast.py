"""The same forecast, whichever way it is asked for: REST, Python in process, Python client, command line, MLflow's pyfunc."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

import almanac
from almanac.command_line import almanac as command_line
from models import artifact, starters
from models.calendar.zoned_grid import parse_frequency

LEVELS = [80, 95.0]
COLUMNS = ["median", "q0.1", "q0.9", "lower_80", "upper_95"]


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Return one to three monthly series, with gaps, of 5 to 60 values between -1,000 and 1,000,000."""
    parts = []
    for number in range(draw(st.integers(1, 3))):
        length = draw(st.integers(5, 60))
        random = np.random.default_rng(draw(st.integers(0, 1_000)))
        values = draw(st.sampled_from([1.0, 1e3, 1e6])) * (random.random(length) + np.sin(np.arange(length) / 2))
        values[1:-1][random.random(length - 2) < draw(st.sampled_from([0.0, 0.1]))] = np.nan
        dates = pd.date_range("2000-01-01", periods=length, freq="MS")
        parts.append(pd.DataFrame({"unique_id": f"s{number}", "ds": dates, "y": values}))
    return pd.concat(parts, ignore_index=True)


def by_rest(frame: pd.DataFrame, horizon: int, service: TestClient) -> pd.DataFrame:
    """Return the answer to JSON of POST /forecast."""
    series = [
        {
            "id": name,
            "start": str(rows["ds"].iloc[0].date()),
            "frequency": "M",
            "values": rows["y"].replace(np.nan, None).tolist(),
        }
        for name, rows in frame.groupby("unique_id")
    ]
    body = {"series": series, "horizon": horizon, "levels": LEVELS, "model": "starter"}
    found: dict[str, Any] = service.post("/forecast", json=body).json()
    return pd.concat([
        pd.DataFrame({
            "unique_id": one["id"], "median": one["median"], "q0.1": one["quantiles"]["0.1"], "q0.9": one["quantiles"]["0.9"],
            "lower_80": one["intervals"]["80"]["lower"], "upper_95": one["intervals"]["95"]["upper"],
        })
        for one in found["forecasts"]
    ])  # fmt: skip


def by_command_line(frame: pd.DataFrame, horizon: int, folder: Path) -> pd.DataFrame:
    """Return what `almanac forecast --output` writes."""
    frame.to_csv(folder / "history.csv", index=False)
    files = ["--data", str(folder / "history.csv"), "--output", str(folder / "next.csv")]
    options = ["--model", "starter", "--horizon", str(horizon), "--frequency", "M", "--levels", "80,95"]
    done = CliRunner().invoke(command_line, ["forecast", *files, *options])
    assert done.exit_code == 0, done.output
    return pd.read_csv(folder / "next.csv")


def by_pyfunc(frame: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return what MLflow's pyfunc predicts, with the names of the others."""
    model = artifact._load_pyfunc(str(starters.folder_for(parse_frequency("M"))))
    found = model.predict(frame, {"horizon": horizon, "levels": LEVELS})
    return found.assign(lower_80=found["q0.1"], upper_95=found["q0.975"])


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=frames(), horizon=st.integers(1, 18))
def test_every_way_gives_the_same_forecast(
    client: almanac.Client, shared_client: TestClient, tmp_path: Path, frame: pd.DataFrame, horizon: int
) -> None:
    """To 1e-6 of the numbers' size, in the same order."""
    here = almanac.forecast(frame, horizon, levels=LEVELS, frequency="M").frame

    others = {
        "client": client.forecast(frame, horizon, model="starter", levels=LEVELS, frequency="M").frame,
        "REST": by_rest(frame, horizon, shared_client),
        "command line": by_command_line(frame, horizon, tmp_path),
        "pyfunc": by_pyfunc(frame, horizon),
    }

    for name, found in others.items():
        assert found["unique_id"].tolist() == here["unique_id"].tolist(), name
        for column in COLUMNS:
            np.testing.assert_allclose(found[column], here[column], rtol=1e-6, atol=1e-6, err_msg=f"{name}, {column}")


def test_repairs_and_warnings_are_those_of_the_service(client: almanac.Client) -> None:
    """A gap is named, and a forecast beyond the trained horizon."""
    dates = pd.date_range("2020-01-01", periods=40, freq="MS").delete(7)
    frame = pd.DataFrame({"unique_id": "a", "ds": dates, "y": np.arange(39.0)})

    here, there = almanac.forecast(frame, 90), client.forecast(frame, 90, model="starter")

    assert here.repairs == there.repairs != {}
    assert here.warnings == there.warnings != {}


@pytest.mark.parametrize("horizon", [0, 1.5, "x"])
def test_a_wrong_horizon_is_the_same_error_everywhere(client: almanac.Client, horizon: Any) -> None:  # noqa: ANN401 - wrong ones
    """In process and over the service."""
    frame = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=40, freq="MS"), "y": np.arange(40.0)})

    for ask in (almanac.forecast, client.forecast):
        with pytest.raises(almanac.errors.HorizonInvalid):
            ask(frame, horizon)
