import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models import artifact
from models.covariates import CovariateNames
from models.errors import (
    ArtifactIncomplete,
    ArtifactMismatch,
    HorizonInvalid,
    RequestError,
    SamplingInvalid,
    SeriesEmpty,
    SeriesNotNumeric,
    TimestampInvalid,
    TimestampsDuplicated,
)
from models.series import Series
from models.spec import BLENDED_FORMAT, FORMAT, ModelSpec
from tests.artifacts import make_artifact, make_blended, seasonal_naive


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return an artifact that the test may spoil."""
    return make_artifact(tmp_path / "model")


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file in place."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_an_artifact_is_what_was_sealed(directory: Path) -> None:
    """The spec comes back, and the forecaster answers."""
    forecaster = artifact.load(directory)

    assert forecaster.spec.name == "temperatures"
    assert forecaster.spec == ModelSpec.from_json((directory / artifact.SPEC).read_text())
    assert len(forecaster.forecast([Series.make(np.arange(30.0))], 5)[0].median) == 5


def test_a_frequency_that_is_no_longer_supported_is_refused(directory: Path) -> None:
    """An old model of half months is refused with the remedy, not with a crash."""
    edit(directory / artifact.SPEC, lambda spec: spec.update(frequency="SM"))

    with pytest.raises(ArtifactMismatch, match="SM"):
        artifact.load(directory)


def test_nothing_in_an_artifact_is_a_pickle(directory: Path) -> None:
    """A graph, weights and two JSON files; no bytes that a pickle begins with."""
    assert {path.name for path in directory.iterdir()} == {"network.onnx", "network.keras", "spec.json", "golden.json"}
    for path in directory.iterdir():
        assert path.read_bytes()[:1] != b"\x80"


def test_golden_inputs_hold_what_a_graph_must_bear() -> None:
    """Gaps, a short history and unknown dates are among them, and they are the same every time."""
    spec = ModelSpec("n", "lstm", "many_to_many", "M", 12, 60, 60, 12)

    contexts, again = artifact.golden_contexts(spec), artifact.golden_contexts(spec)

    assert np.isnan(contexts.context[1]).any()
    assert np.isfinite(contexts.context[2]).sum() == 5
    assert -1 in contexts.phase
    assert_array_equal(contexts.context, again.context)


@pytest.mark.parametrize("name", [artifact.NETWORK, artifact.SPEC, artifact.GOLDEN])
def test_a_missing_file_is_named(directory: Path, name: str) -> None:
    """What was not downloaded whole is not served."""
    (directory / name).unlink()

    with pytest.raises(ArtifactIncomplete, match=name):
        artifact.load(directory)


@pytest.mark.parametrize("name", [artifact.NETWORK, artifact.SPEC, artifact.GOLDEN])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[]", b"[" * 200_000])
def test_a_broken_file_is_incomplete(directory: Path, name: str, content: bytes) -> None:
    """Empty, no text, or JSON of another kind: typed, whichever library noticed."""
    (directory / name).write_bytes(content)

    with pytest.raises(ArtifactIncomplete):
        artifact.load(directory)


def test_a_network_that_answers_differently_is_refused(directory: Path) -> None:
    """A thousandth of a degree would do: the golden forecasts are replayed at every load."""
    (directory / artifact.NETWORK).write_bytes(seasonal_naive(12, 60, 12, 0.01).SerializeToString())

    with pytest.raises(ArtifactMismatch, match=r"differ from golden\.json"):
        artifact.load(directory)


@pytest.mark.parametrize(("context_length", "horizon"), [(48, 12), (60, 6)])
def test_a_network_of_other_lengths_is_refused(directory: Path, context_length: int, horizon: int) -> None:
    """One that does not take the golden inputs, or answers with another shape, is a mismatch too."""
    network = seasonal_naive(12, context_length, horizon, 0.0)
    (directory / artifact.NETWORK).write_bytes(network.SerializeToString())

    with pytest.raises(ArtifactMismatch):
        artifact.load(directory)


@pytest.mark.parametrize(
    "change",
    [
        {"context_length": 48, "encoder_length": 48},
        {"horizon": 24},
        {"quantile_levels": [0.1, 0.5, 0.9]},
        {"format": 99},
        {"past_covariates": ["price"]},
        {"future_covariates": ["price"]},
        {"conformal": {"levels": ["a"], "offsets": [["b"]]}},
        {"conformal": {"levels": [0.1, 0.9], "offsets": [[float("nan"), 0.0]] * 12}},
    ],
)
def test_a_spec_that_promises_something_else_is_refused(directory: Path, change: dict[str, Any]) -> None:
    """Lengths in spec.json that are not the network's would fail at the first request instead."""
    edit(directory / artifact.SPEC, lambda spec: spec.update(change))

    with pytest.raises(ArtifactMismatch):
        artifact.load(directory)


@pytest.mark.parametrize(
    "change", [{"quantiles": [[[0.0] * 9] * 12] * 4}, {"quantiles": [[[float("nan")] * 9] * 12] * 4}]
)
def test_golden_answers_that_are_not_the_networks_are_refused(directory: Path, change: dict[str, Any]) -> None:
    """Nothing compares well with NaN, either."""
    edit(directory / artifact.GOLDEN, lambda golden: golden.update(change))

    with pytest.raises(ArtifactMismatch):
        artifact.load(directory)


def test_rounding_of_another_machine_is_allowed(directory: Path) -> None:
    """A ten-thousandth of the context's range is float32's business."""
    edit(
        directory / artifact.GOLDEN,
        lambda golden: golden.update(quantiles=(np.array(golden["quantiles"]) + 1e-4).tolist()),
    )

    assert artifact.load(directory).spec.horizon == 12


def test_a_context_of_one_value_is_measured_by_its_forecast(tmp_path: Path) -> None:
    """One value has no range; rounding is allowed there as well, and a wrong answer is not."""
    directory = make_artifact(tmp_path, context_length=1, season_length=1)
    golden = json.loads((directory / artifact.GOLDEN).read_text())
    for shift in (1e-5, 0.1):
        shifted = (np.array(golden["quantiles"]) + shift).tolist()
        (directory / artifact.GOLDEN).write_text(json.dumps({**golden, "quantiles": shifted}))
        if shift < 1e-4:
            artifact.load(directory)
    with pytest.raises(ArtifactMismatch):
        artifact.load(directory)


def test_update_spec_changes_what_it_is_told_and_nothing_else(directory: Path) -> None:
    """The backtest's figures are written after the training; the files are as they were."""
    before = artifact.load(directory).spec
    files = {path.name: path.read_bytes() for path in directory.iterdir()}

    forecaster = artifact.update_spec(directory, backtest={"mase": 0.7}, beats_baselines=True, run_id="42")

    assert forecaster.spec == replace(before, backtest={"mase": 0.7}, beats_baselines=True, run_id="42")
    assert artifact.load(directory).spec == forecaster.spec
    assert {name for name, content in files.items() if (directory / name).read_bytes() != content} == {"spec.json"}


def frame() -> pd.DataFrame:
    """Return two series as MLflow's clients send them."""
    dates = pd.date_range("1939-01-01", periods=36, freq="MS")
    rows = {
        key: pd.DataFrame({"unique_id": key, "ds": dates, "y": level + np.arange(36.0)})
        for key, level in (("nottingham", 0.0), ("clemson", 50.0))
    }
    return pd.concat(rows.values(), ignore_index=True)


def test_mlflow_is_answered_in_a_long_frame(directory: Path) -> None:
    """A row a step and series, series in their order, quantiles beside the median, as the forecaster has them."""
    answer = artifact._load_pyfunc(str(directory)).predict(frame())

    assert list(answer.columns[:3]) == ["unique_id", "ds", "median"]
    assert answer["unique_id"].tolist() == ["nottingham"] * 12 + ["clemson"] * 12
    assert answer["ds"].iloc[0] == pd.Timestamp("1942-01-01")
    past = Series.make(frame()["y"][:36].to_numpy(), start="1939-01", frequency="M")
    (expected,) = artifact.load(directory).forecast([past], 12)
    assert_allclose(answer["median"][:12], expected.median)
    assert_allclose(answer["q0.1"][:12], expected.quantiles[:, 0])


def test_mlflows_params_are_those_of_a_forecast(directory: Path) -> None:
    """Another horizon, and the mean, the sides of a level and paths as columns of their own; sums are a frame of their own."""
    model = artifact._load_pyfunc(str(directory))

    with pytest.raises(SamplingInvalid, match="either paths or sums"):
        model.predict(frame(), {"paths": 2, "sums": ["1-2"]})
    answer = model.predict(frame(), {"horizon": 2, "levels": [95], "mean": True, "paths": 2, "seed": np.int64(1)})
    sums = model.predict(frame(), {"horizon": 2, "mean": True, "sums": np.array(["1-2"])})

    assert len(answer) == 4
    assert_allclose(answer["mean"], answer["median"])  # errors are normal
    assert (answer["path1"] != answer["path2"]).all()
    assert sums["window"].tolist() == ["1-2", "1-2"]
    assert_allclose(sums["mean"], answer.groupby("unique_id", sort=False)["mean"].sum(), rtol=0.02)
    assert (answer["q0.025"] < answer["q0.1"]).all()
    assert (answer["q0.975"] > answer["q0.9"]).all()


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("y", lambda y: y.astype("int64")),
        ("y", lambda y: y.astype("int32")),
        ("y", lambda y: y.astype("float32")),
        ("y", lambda y: y.astype("Int64")),
        ("y", lambda y: y.astype(object)),
        ("ds", lambda ds: ds.dt.strftime("%Y-%m-%d")),
        ("ds", lambda ds: ds.dt.strftime("%Y-%m")),
        ("ds", lambda ds: ds.dt.strftime("%Y-%m-%d %H:%M:%S")),
        ("ds", lambda ds: ds.dt.date),
        ("unique_id", lambda ids: ids.map({"nottingham": 7, "clemson": 8})),
    ],
)
@pytest.mark.parametrize("shuffled", [False, True])
def test_pyfunc_reads_what_people_have(
    directory: Path,
    column: str,
    change: Callable[["pd.Series[Any]"], "pd.Series[Any]"],
    shuffled: bool,  # noqa: FBT001 - a parametrised truth
) -> None:
    """Whole numbers, dates as text, numbers as ids and rows in any order give the same forecast."""
    model = artifact._load_pyfunc(str(directory))
    sent = frame().assign(**{column: lambda rows: change(rows[column])})
    sent = sent.sample(frac=1, random_state=3) if shuffled else sent

    answer = model.predict(sent).sort_values(["median"], ignore_index=True)

    expected = model.predict(frame()).sort_values(["median"], ignore_index=True)
    assert_allclose(answer["median"], expected["median"])
    assert answer["ds"].tolist() == expected["ds"].tolist()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"y": "much"}, SeriesNotNumeric, "Series 'nottingham': Column y must be numbers. Received: 'much'"),
        ({"ds": "soon"}, TimestampInvalid, "Series 'nottingham'"),
        ({"ds": "1939-01-01"}, TimestampsDuplicated, "Series 'nottingham'"),
        ({"unique_id": None}, RequestError, "Row 0 has no unique_id"),
        ({"unique_id": " \u200b"}, RequestError, "Row 0 has no unique_id"),
    ],
)
def test_pyfunc_says_what_is_wrong(
    directory: Path, changes: dict[str, str | None], error: type[Exception], words: str
) -> None:
    """The series and the value are named."""
    with pytest.raises(error, match=words):
        artifact._load_pyfunc(str(directory)).predict(frame().astype(object).assign(**changes))
    with pytest.raises(RequestError, match="no column y"):
        artifact._load_pyfunc(str(directory)).predict(frame().drop(columns="y"))


def test_pyfunc_reads_ids_as_files_do(directory: Path) -> None:
    """Blanks at the ends and the form of an accent make no other series."""
    rows = frame().head(24).assign(unique_id=[" caf\u00e9", "cafe\u0301 "] * 12)

    answer = artifact._load_pyfunc(str(directory)).predict(rows, {"horizon": 1})

    assert answer["unique_id"].tolist() == ["caf\u00e9"]


def test_pyfunc_refuses_a_frame_without_rows_and_a_horizon_of_zero(tmp_path: Path) -> None:
    """What cannot be answered is refused by name, not answered with a default."""
    model = artifact._load_pyfunc(str(make_artifact(tmp_path)))

    with pytest.raises(SeriesEmpty):
        model.predict(frame().iloc[:0])
    with pytest.raises(HorizonInvalid):
        model.predict(frame(), {"horizon": 0})


NAMES = CovariateNames(("traffic",), ("price",))


def test_golden_inputs_hold_covariates_with_gaps(tmp_path: Path) -> None:
    """They are replayed at load as the others are: known, unknown here and there, constant."""
    directory = make_artifact(tmp_path / "model", names=NAMES)

    golden = json.loads((directory / artifact.GOLDEN).read_text())

    assert np.shape(golden["past_covariates"]) == (4, 60, 2)
    assert np.shape(golden["future_covariates"]) == (4, 12, 1)
    assert "null" in (directory / artifact.GOLDEN).read_text()
    edit(directory / artifact.GOLDEN, lambda golden: golden.pop("future_covariates"))
    with pytest.raises(ArtifactMismatch, match="future_covariates"):
        artifact.load(directory)


def test_mlflow_sends_covariates_as_columns(tmp_path: Path) -> None:
    """Rows after the last value carry the future of those known ahead."""
    model = artifact._load_pyfunc(str(make_artifact(tmp_path / "model", names=NAMES)))
    dates = pd.date_range("2014-01-01", periods=39, freq="MS")
    known = [*np.arange(36.0), *[np.nan] * 3]
    frame = pd.DataFrame(
        {"unique_id": "a", "ds": dates, "y": known, "traffic": 0.0, "price": [*[7.0] * 36, 1.0, 2.0, 3.0]}
    )

    answer = model.predict(frame, {"horizon": 3})

    assert_allclose(answer["median"], np.array([25.0, 27.0, 29.0]))
    assert answer["ds"].tolist() == dates[36:].tolist()


def test_a_network_that_waits_for_a_busy_machine_is_not_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is that of the processor; a loop of as long is slow."""
    forecaster = artifact.load(make_artifact(tmp_path / "model"))

    def compute(_contexts: object) -> None:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass

    monkeypatch.setattr(forecaster, "quantiles", lambda _contexts: time.sleep(0.02))
    waiting = artifact.forecast_seconds(forecaster)
    monkeypatch.setattr(forecaster, "quantiles", compute)

    assert waiting < 0.01
    assert artifact.forecast_seconds(forecaster) >= 0.02


def test_a_network_that_fails_while_it_is_timed_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a library raises; only a machine without memory is not the artifact's fault."""
    forecaster = artifact.load(directory)
    monkeypatch.setattr(forecaster, "quantiles", lambda _contexts: 1 // 0)

    with pytest.raises(ArtifactMismatch, match="ZeroDivisionError"):
        artifact.forecast_seconds(forecaster)


def test_a_blended_artifact_is_two(tmp_path: Path) -> None:
    """It forecasts their mean, its size and time are those of both, and a reader that knows no blend refuses it."""
    folder = make_blended(tmp_path / "model")

    blended, alone = artifact.load(folder), artifact.load(make_artifact(tmp_path / "alone"))

    season = [Series.make(np.arange(12.0).repeat(3))]
    assert_allclose(blended.forecast(season, 3)[0].median, alone.forecast(season, 3)[0].median + 5.0)
    assert artifact.network_mb(folder) == pytest.approx(2 * artifact.network_mb(tmp_path / "alone"), rel=0.01)
    assert artifact.forecast_seconds(blended) > artifact.forecast_seconds(blended.parts[0])
    assert json.loads((folder / artifact.SPEC).read_text())["format"] == BLENDED_FORMAT != FORMAT


def spoil_answers(part: Path) -> None:
    """Change the golden forecasts of a part."""
    edit(part / artifact.GOLDEN, lambda golden: golden.update(quantiles=[[[0.0] * 9] * 12] * 4))


def nest(part: Path) -> None:
    """Put blended models into each other."""
    for _ in range(artifact.MOST_DEPTH):
        make_blended(part)
        part = part / artifact.SEASONLESS


@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [
        (shutil.rmtree, ArtifactIncomplete),
        (nest, ArtifactIncomplete),
        (spoil_answers, ArtifactMismatch),
        (lambda part: artifact.update_spec(part, frequency="W"), ArtifactMismatch),
        (
            lambda part: edit(part.parent / artifact.SPEC, lambda one: one["options"].update(blend={})),
            ArtifactIncomplete,
        ),
    ],
)
def test_a_damaged_part_is_refused(tmp_path: Path, spoil: Callable[[Path], object], refusal: type[Exception]) -> None:
    """Missing, of other answers, of another frequency, too deep, or blended in no known way."""
    folder = make_blended(tmp_path / "model")

    spoil(folder / artifact.SEASONLESS)

    with pytest.raises(refusal):
        artifact.load(folder)
