"""`almanac forecast --url`: the file of a local forecast, in parts, with partial failures, and resumable."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from starlette.testclient import TestClient

import almanac
from almanac.command_line import almanac as command_line
from tests.almanac.conftest import months, transport_to

URL = ("--url", "http://testserver", "--model", "starter", "--horizon", "3")
Run = Callable[..., Result]


@pytest.fixture
def refused() -> list[int]:
    """Return the numbers of the requests for forecasts that the service refuses, the first being 1."""
    return []


@pytest.fixture
def asked() -> list[list[str]]:
    """Return the ids of each request for forecasts."""
    return []


@pytest.fixture
def failing() -> list[str]:
    """Return the ids of series that the service cannot forecast."""
    return []


@pytest.fixture
def service(
    shared_client: TestClient, refused: list[int], asked: list[list[str]], failing: list[str]
) -> httpx.MockTransport:
    """Return the service in this process, with these refusals and errors."""
    inner = transport_to(shared_client)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/forecast":
            return inner.handle_request(request)
        asked.append([one["id"] for one in json.loads(request.content)["series"]])
        if len(asked) in refused:
            return httpx.Response(401, json={"code": "KEY_MISSING", "detail": "No key.", "hint": "Send one."})
        body = inner.handle_request(request).json()
        left = [one for one in body["forecasts"] if one["id"] not in failing]
        wrong = {"code": "FORECAST_NOT_FINITE", "detail": "Too large.", "hint": "Send less.", "pointer": ""}
        errors = [{**wrong, "id": name} for name in failing if name in asked[-1]]
        return httpx.Response(200, json={**body, "forecasts": left, "errors": body["errors"] + errors})

    return httpx.MockTransport(answer)


@pytest.fixture
def run(service: httpx.MockTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command over `history.csv` with the service in this process."""

    def connect(url: str, key: str | None) -> almanac.Client:
        return almanac.connect(url, key, transport=service)

    monkeypatch.setattr("almanac.commands.remote_forecast.connect", connect)
    monkeypatch.chdir(tmp_path)
    months("a", "b", "c").to_csv("history.csv", index=False)
    return lambda *options: CliRunner().invoke(
        command_line, ["forecast", "--data", "history.csv", *options], standalone_mode=False
    )


def read(path: str) -> pd.DataFrame:
    """Return a file of forecasts."""
    return pd.read_csv(path) if path.endswith(".csv") else pd.read_parquet(path)


@pytest.mark.parametrize("output", ["there.csv", "there.parquet"])
def test_a_service_writes_the_file_of_a_local_forecast(run: Run, asked: list[list[str]], output: str) -> None:
    """In parts of two series; no other file is left."""
    run("--model", "starter", "--horizon", "3", "--levels", "80,95", "--output", "here.csv")

    found = run(*URL, "--levels", "80,95", "--chunk", "2", "--output", output)

    assert found.exit_code == 0, found.output
    assert asked == [["a", "b"], ["c"]]
    pd.testing.assert_frame_equal(read(output), read("here.csv"), rtol=1e-9, check_dtype=not output.endswith(".csv"))
    assert sorted(path.name for path in Path.cwd().iterdir()) == sorted(["history.csv", "here.csv", output])


def test_an_interrupted_command_goes_on(run: Run, asked: list[list[str]], refused: list[int]) -> None:
    """What is done is not asked for again; another question begins anew."""
    refused.append(2)
    options = (*URL, "--chunk", "1", "--output", "there.csv")

    failed = run(*options)
    done = run(*options)

    assert "No key. 1 of 3 parts are done." in str(failed.exception)
    assert done.exit_code == 0, done.output
    assert asked == [["a"], ["b"], ["b"], ["c"]]
    assert read("there.csv")["unique_id"].tolist() == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    refused.append(6)
    run(*options)
    run(*options, "--mean")
    assert asked[4:] == [["a"], ["b"], ["a"], ["b"], ["c"]]


def test_series_without_a_forecast_are_listed(run: Run, failing: list[str]) -> None:
    """And make the exit code 1; the others are in the file."""
    failing.append("b")

    found = run(*URL, "--chunk", "2", "--output", "there.csv")

    assert found.return_value == 1
    assert "b: Too large. Send less." in found.stderr
    assert "2 of 3 series" in found.stderr
    assert set(read("there.csv")["unique_id"]) == {"a", "c"}


def test_json_is_what_the_service_responds(run: Run) -> None:
    """With sums, which a table has no row for."""
    found = json.loads(run(*URL, "--json", "--sums", "1-3").stdout)

    assert [one["id"] for one in found["forecasts"]] == ["a", "b", "c"]
    assert found["forecasts"][0]["sums"].keys() == {"1-3"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--output FILE"),
        (["--output", "x.json"], ".parquet"),
        (["--output", "x.csv", "--plot", "x.png"], "--plot"),
        (["--output", "x.csv", "--sums", "1-3"], "--sums"),
        (["--output", "x.csv", "--levels", "high"], "--levels"),
    ],
)
def test_what_a_service_cannot_do_is_said(run: Run, options: list[str], words: str) -> None:
    """Before anything is sent."""
    found = run(*URL, *options)

    assert found.exit_code != 0
    assert words in f"{found.output}{found.exception}"


def test_what_is_noticed_is_said_as_by_a_local_forecast(run: Run) -> None:
    """A series without values, and a level that is no per cent; each once."""
    pd.concat([months("a", "b"), months("c").assign(y=None)]).to_csv("history.csv", index=False)

    found = run(*URL, "--levels", "0.8", "--output", "there.csv")

    assert "SERIES_ALL_MISSING: Series 'c' has no values" in found.stderr
    assert found.stderr.count("Send 80 for 80 %.") == 1


def test_the_examples_of_the_help_stand_below_one_another() -> None:
    """That of a service has the indent of those of this process."""
    lines = CliRunner().invoke(command_line, ["forecast", "--help"]).output.splitlines()

    assert {line.index("almanac") for line in lines if line.strip().startswith("almanac forecast ")} == {6}
