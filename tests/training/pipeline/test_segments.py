"""One model for each value of a column."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from models.errors import DataInvalid, ModelUnknown, TrainingError
from models.names import is_name
from tests.training.conftest import MakeRuntime
from tests.training.fakes import make_fit, make_series
from training.config.training import TrainConfig
from training.data.holdout import hold_out
from training.data.series_set import read_series
from training.engines.local import LocalEngine
from training.fit.ensemble import combine_with_keras
from training.pipeline.candidates import fit_with_keras
from training.pipeline.segments import segment_names, split_segments, train_segments
from training.pipeline.task import TrainingTask
from training.registry.client import Registry
from training.registry.provenance import RunEnvironment

pytestmark = pytest.mark.usefixtures("no_figures")


def write_regions(path: Path, *, short: str = "", separator: str = ",") -> Path:
    """Write two series of each of three regions, the same ids in each; one region may be far too short."""
    frames = []
    for number, region in enumerate(("North", "South & East", "west")):
        for name in "ab":
            series = make_series(name, seed=number)
            dates = pd.date_range("2000-01-01", periods=len(series), freq="MS")
            frame = pd.DataFrame({"unique_id": name, "ds": dates, "y": series.values, "region": region})
            frames.append(frame.tail(3) if region == short else frame)
    pd.concat(frames).to_csv(path, index=False, sep=separator, decimal="," if separator == ";" else ".")
    return path


def make_config(data: Path) -> TrainConfig:
    """Return a training of one network a year ahead."""
    return TrainConfig(data, 12, name="shops", architecture=("lstm",), baselines=("seasonal_naive",))


def test_each_segment_has_a_model_and_one_that_fails_stops_no_other(
    registry: Registry, make_runtime: MakeRuntime, tmp_path: Path
) -> None:
    """Registered, tagged and logged under one run of one experiment, where they are compared."""
    config = make_config(write_regions(tmp_path / "d.csv", short="west"))

    runtime = make_runtime(make_fit())
    said: list[str] = []
    runtime = replace(runtime, progress=replace(runtime.progress, on_event=lambda event: said.append(event["text"])))

    found = train_segments(config, "region", registry, runtime, LocalEngine(1))

    assert [line.split(":")[0] for line in said[1:]] == ["1 of 3  North", "2 of 3  South & East", "3 of 3  west"]
    names = {value: one["name"] for value, one in found.models.items()}
    assert names["North"] == "shops-North"
    assert names.keys() == {"North", "South & East"}
    assert found.failed.keys() == {"west"}
    children = registry.children(found.run_id)
    assert {one.run_id for one in children} >= {one["run_id"] for one in found.models.values()}
    assert registry.models.resolve("shops-North@champion").version == "1"
    tags = registry._client.get_registered_model(names["South & East"]).tags
    assert tags == {"almanac.family": "shops", "almanac.segment_column": "region", "almanac.segment": "South & East"}
    with pytest.raises(ModelUnknown, match="Name the model of a segment: shops-North, shops-South___East-") as raised:
        registry.models.resolve("shops")
    assert "no model but a family of 2" in raised.value.detail
    assert registry.read_json(found.run_id, "segments.json") == json.loads(json.dumps(found.to_dict()))


def test_a_training_in_which_all_fail_is_an_error(
    registry: Registry, make_runtime: MakeRuntime, tmp_path: Path
) -> None:
    """With the first cause."""
    config = make_config(write_regions(tmp_path / "d.csv"))

    with pytest.raises(TrainingError, match=r"Every segment failed.*NaN at step 17"):
        train_segments(config, "region", registry, make_runtime(make_fit(failing=("lstm",))), LocalEngine(1))


@pytest.mark.parametrize(("name", "separator"), [("d.csv", ","), ("d.csv", ";"), ("d.parquet", ",")])
def test_a_segment_has_its_rows_and_no_others(tmp_path: Path, name: str, separator: str) -> None:
    """As they were written: numbers with a decimal comma too."""
    path = write_regions(tmp_path / "d.csv", separator=separator)
    whole = pd.read_csv(path, sep=separator, decimal="," if separator == ";" else ".")
    if name.endswith("parquet"):
        path = tmp_path / name
        whole.to_parquet(path)

    found = split_segments(make_config(path), "region", tmp_path / "segments")

    assert [one.value for one in found] == ["North", "South & East", "west"]
    for one in found:
        expected = whole[(whole.region == one.value) & (whole.unique_id == "b")].y
        (series,) = (each for each in read_series(one.path).series if each.id == "b")
        assert series.values.tolist() == pytest.approx(expected.tolist())


def test_names_are_valid_and_stay() -> None:
    """A value that cannot be part of a name has a digest in it; others are as they are written, however many there are."""
    values = ["north", "North", "a b", "a_b", "a/b", "日本", "x" * 200, "x" * 199, "é" * 60]

    found = segment_names("sales", values)

    assert len(set(found.values())) == len(values)
    assert all(is_name(one) for one in found.values())
    assert found["a_b"] == "sales-a_b"
    assert segment_names("sales", ["a b"])["a b"] == found["a b"]


@pytest.mark.parametrize(
    ("column", "region", "said"),
    [("area", "x", "no column 'area'. It has unique_id, ds, y, region"), ("region", " ", "row 2")],
)
def test_rows_without_a_segment_are_refused(tmp_path: Path, column: str, region: str, said: str) -> None:
    """With the row and what there is instead."""
    (tmp_path / "d.csv").write_text(f"unique_id,ds,y,region\na,2020-01-01,1,{region}\n")

    with pytest.raises(DataInvalid, match=said):
        split_segments(make_config(tmp_path / "d.csv"), column, tmp_path)


def test_what_workers_are_sent_can_be_sent(data_file: Path) -> None:
    """Configuration, series, origins and functions arrive in another process."""
    data = read_series(data_file)
    split = hold_out(data.series, 12, season_length=12)
    task = TrainingTask(make_config(data_file), data, (split,))

    (found,), *_ = pickle.loads(pickle.dumps(((task,), fit_with_keras, combine_with_keras, RunEnvironment())))  # noqa: S301

    assert found.config == task.config
    assert found.newest.targets.tolist() == split.targets.tolist()
    assert [one.values.tolist() for one in found.data.series] == [one.values.tolist() for one in data.series]
