import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from tests.benchmarks import accuracy
from tests.benchmarks.accuracy import QUESTIONS
from tests.benchmarks.accuracy_page import render
from tests.training.fakes import make_series

Record = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder with a tiny Tourism, its published figures beside it."""
    data = tmp_path / "data"
    data.mkdir()
    series = [make_series(str(seed), seed=seed) for seed in range(3)]
    pd.concat(pd.DataFrame({"unique_id": one.id, "ds": one.timestamps, "y": one.values}) for one in series).to_parquet(
        data / "tourism_monthly.parquet"
    )
    rows = ["dataset,horizon,lags,metric,method,value"]
    rows += [f"Tourism Monthly,24,15,mean_MASE,{name},{mase}" for name, mase in {"ETS": 1.526, "DeepAR": 1.409}.items()]
    (tmp_path / "published_monash.csv").write_text("\n".join(rows) + "\n")
    return data


@pytest.fixture
def measure(folder: Path, tmp_path: Path) -> Record:
    """Return a function that runs the record over the folder into a page of its own."""

    def measure(*arguments: object) -> Result:
        own = ["--data", folder, "--record", tmp_path / "accuracy.json", "--page", tmp_path / "accuracy.md"]
        return CliRunner().invoke(accuracy.accuracy, [str(one) for one in (*own, *arguments)])

    return measure


def made_up(mase: float = 1.4, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of a result
    """Return what `almanac backtest --json` might print for an LSTM with two seeds."""
    row = {"mase": mase, "coverage_80": 0.8, "coverage_95": 0.95, "crossings": 0.0, "series_scored": 3.0, "dropped": 0}
    models = {"lstm": row, "lstm/0": row, "lstm/1": {**row, "mase": mase + 0.2}, "seasonal_naive": {**row, "mase": 1.7}}
    models["ensemble"] = {**row, "mase": mase - 0.1}
    outcome = {"config": {"data": "/somewhere/else.parquet"}, "commit": "abc", "packages": {"keras": "3"}}
    outcome |= {"python": "3.11", "machine": "a machine", "command": "almanac backtest --data /somewhere/else.parquet"}
    return {"models": models, "dropped": 0, "sample": {}, "provenance": outcome, **more}


@pytest.mark.prove
def test_the_page_is_made_by_the_command_that_a_user_runs(measure: Record, tmp_path: Path) -> None:
    """Real trainings, as short as can be: each seed, their ensemble and the baselines, published rows beside."""
    tiny = [
        "steps=2",
        "calendar=true",
        "steps_per_epoch=1",
        "units=4",
        "layers=1",
        "context_length=24",
        "transform=none",
    ]
    settings = [part for one in tiny for part in ("--set", f"fit.{one}")]

    found = measure("--only", "tourism_monthly/lstm", "--seeds", 2, *settings)

    assert found.exit_code == 0, found.output
    page, record = (tmp_path / "accuracy.md").read_text(), json.loads((tmp_path / "accuracy.json").read_text())
    models = record["answers"]["tourism_monthly/lstm"]["result"]["models"]
    for name, label in {
        "lstm/0": "lstm, seed 0",
        "ensemble": "ensemble of the seeds",
        "climatology": "climatology",
    }.items():
        assert f"{label}" in page
        assert f"{models[name]['mase']:.3f}" in page
    assert "| DeepAR | 1.409 |" in page
    assert "--set fit.steps=2" in page
    assert "lstm, ensemble: " in page
    assert str(tmp_path) not in page + json.dumps(record)


def test_what_was_measured_is_not_measured_again(
    measure: Record, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that was stopped goes on where it was; other data, another setting or --fresh measures anew."""
    asked: list[list[str]] = []

    def fails_once(arguments: list[str]) -> dict[str, Any] | None:
        asked.append(arguments)
        return None if len(asked) == 2 else made_up()

    monkeypatch.setattr(accuracy, "run", fails_once)

    first = measure("--only", "tourism", "--seeds", 2)
    again = measure("--only", "tourism", "--seeds", 2)

    assert first.exit_code == 1
    assert "tourism_monthly/gru failed" in first.output
    assert again.exit_code == 0, again.output
    tourism = [one for one in QUESTIONS if "tourism" in one.key]
    recurrent = [one for one in tourism if "lstm" in one.key]
    assert len(asked) == len(tourism) + 1
    measure("--only", "lstm", "--seeds", 2, "--fresh")
    assert len(asked) == len(tourism) + 1 + len(recurrent)
    frame = pd.read_parquet(folder / "tourism_monthly.parquet")
    frame.assign(y=frame["y"] + 1).to_parquet(folder / "tourism_monthly.parquet")
    measure("--only", "lstm", "--seeds", 2)
    assert len(asked) == len(tourism) + 1 + 2 * len(recurrent)


def test_sequence_shapes_differ_in_nothing_else() -> None:
    """One command supervises the last step, the other every step, in the same time."""
    last, every = (one.arguments("t.parquet", 3, ()) for one in QUESTIONS if one.settings)

    assert [one for one in zip(last, every, strict=True) if one[0] != one[1]] == [
        ("fit.shape=many_to_many", "fit.shape=many_to_many_equal")
    ]
    assert "fit.max_seconds=90" in last


def test_only_the_first_network_of_a_set_fits_the_classical_models() -> None:
    """They are the same beside each; defaults otherwise, no setting of a network given."""
    lstm, gru = (one.arguments("t.parquet", 3, ()) for one in QUESTIONS[:2])

    assert "--baselines" not in lstm
    assert gru[-3:] == ["--baselines", "seasonal_naive,climatology", "--json"]
    assert not any(part.startswith("--set") for part in lstm)


def test_a_date_is_handed_on() -> None:
    """The stations are also cut at one calendar date."""
    cut = next(one for one in QUESTIONS if one.cutoff)

    assert cut.arguments("s.parquet", 3, ())[-3:-1] == ["--cutoff", "1969-12"]
    assert cut.key == "station_temperatures_monthly/1969-12/wavenet"


def test_a_missing_folder_and_one_without_sets_are_said(tmp_path: Path) -> None:
    """One line with the remedy, no traceback."""
    run = CliRunner().invoke

    assert "DATA=folder" in run(accuracy.accuracy, ["--data", str(tmp_path / "none")]).output
    assert "holds none of tourism_monthly.parquet" in run(accuracy.accuracy, ["--data", str(tmp_path)]).output


def test_blocks_stand_side_by_side() -> None:
    """Each with its error and coverage, since one block is calm and another wild."""
    (question,) = [one for one in QUESTIONS if one.origins > 1]
    blocks = {"lstm": [{"mase": 1.41, "coverage_80": 0.857}, {"mase": 1.68, "coverage_80": 0.798}]}
    answer = {"question": asdict(question), "result": made_up(blocks=blocks), "measured": "2026-10-11", "seconds": 3.0}

    page = render({"answers": {question.key: answer}, "published": {}}, [question.key])

    assert "--origins 4" in " ".join(question.arguments("x", 1, ()))
    assert "4 times, a network trained before each, on 24 steps" in page
    assert "| mean MASE, in 80 % | newest | 2 |" in page
    assert "| lstm | 1.410, 85.7% | 1.680, 79.8% |" in page


def test_a_sample_is_stated_with_the_networks_on_the_same_series() -> None:
    """A classical fit to some of the series is not set beside a network on all of them without a word."""
    result = made_up(sample={"auto_ets": {"series": 2, "of": 3, "failed": 1, "mase": {"lstm": 1.25}}})
    result["models"]["auto_ets"] = result["models"]["seasonal_naive"]
    question = {"title": "Tourism", "horizon": 24, "architecture": "lstm", "cutoff": "", "published": ""}
    answer = {"question": question, "result": result, "measured": "2026-01-01", "seconds": 1.0}

    page = render({"answers": {"q": answer}, "published": {}}, ["q"])

    assert "auto_ets (on 2 of 3 series; 1 failed fits are seasonal naive)" in page
    assert "On the 2 series of auto_ets (mean MASE 1.700): lstm 1.250." in page
