import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from models.covariates import CovariateNames
from models.errors import ConfigInvalid, FrequencyNotInferred, TrainingError
from models.forecasting.open_steps import forecast_open_steps
from models.forecasting.sampling import Sampling
from models.irregular.bounds import read_bounds
from tests.artifacts import make_artifact, make_blended
from tests.training.bulk.folders import ask, make_frame, read_output, write_folder
from training.bulk.frame import to_table
from training.bulk.part_forecast import Model
from training.bulk.run import BulkRequest, forecast_folder
from training.cli.forecast_file import FileForecastRequest, forecast_file
from training.config.training import Columns
from training.data.series_options import SeriesOptions
from training.data.series_set import read_series
from training.engines.engine import Done, Work
from training.engines.local import LocalEngine
from training.progress import Progress

HERE = LocalEngine(1)


class Interrupted(LocalEngine):
    """An engine that ends after some tasks, as a killed process does."""

    def __init__(self, after: int) -> None:
        """Keep the number of tasks."""
        super().__init__(1)
        self._after = after

    def run(self, work: Work, tasks: Sequence[Any]) -> Iterator[Done]:
        """Yield the first results."""
        yield from super().run(work, tasks[: self._after])
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"reading": SeriesOptions("zero")}, {}),
        ({"outliers": "mask", "mean": True, "sampling": Sampling(2, 3)}, {"paths": 2, "seed": 3}),
        ({"bounds": read_bounds({"minimum": 55})}, {}),
        ({"frequency": "M", "levels": (50.0, 95.0), "horizon": None}, {}),
    ],
)
def test_a_folder_is_forecast_as_one_file(
    tmp_path: Path, progress: Progress, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Cut into files, row groups and parts wherever: the same numbers in the same order."""
    frame = make_frame()
    request = ask(write_folder(frame, tmp_path / "in"), tmp_path / "out", **changes)
    frame.to_parquet(tmp_path / "one.parquet")
    shared = {key: value for key, value in changes.items() if key not in {"sampling", "levels", "horizon", "frequency"}}
    whole = FileForecastRequest(
        "starter",
        tmp_path / "one.parquet",
        request.horizon,
        request.frequency,
        Columns(),
        request.levels,
        **shared,
        **expected,
    )

    manifest = forecast_folder(request, HERE, progress)

    found = forecast_file(None, whole, progress=progress, scratch=tmp_path)
    assert manifest["parts"] == 5
    assert_frame_equal(read_output(tmp_path / "out"), to_table(found.forecasts).to_pandas(), check_exact=True)


def test_covariates_known_ahead_are_read_over_the_horizon(tmp_path: Path, progress: Progress) -> None:
    """Rows after the last value of the folder are the future of each series, also in a part that ends earlier."""
    frame = make_frame(20)
    frame["price"] = frame.index % 5 + 1.0
    frame.loc[frame.ds > "2018-06", "y"] = None
    names = CovariateNames.make((), ("price",), ())
    folder = make_artifact(tmp_path / "model", names=names)
    request = ask(
        write_folder(frame, tmp_path / "in", (300,)), tmp_path / "out", model=Model.of_folder("m", "1", folder)
    )

    forecast_folder(request, HERE, progress)

    from models import artifact

    frame.to_parquet(tmp_path / "one.parquet")
    series = read_series(tmp_path / "one.parquet", covariates=names).series
    found = forecast_open_steps(artifact.load(folder), series, 6)
    assert_frame_equal(read_output(tmp_path / "out"), to_table(found).to_pandas(), check_exact=True)


def test_a_worker_gets_each_part_of_a_model(tmp_path: Path, progress: Progress) -> None:
    """A blended model is two networks."""
    folder = make_blended(tmp_path / "model")
    request = ask(
        write_folder(make_frame(3), tmp_path / "in"), tmp_path / "out", model=Model.of_folder("m", "1", folder)
    )

    forecast_folder(request, HERE, progress)

    from models import artifact

    make_frame(3).to_parquet(tmp_path / "one.parquet")
    found = forecast_open_steps(artifact.load(folder), read_series(tmp_path / "one.parquet").series, 6)
    assert_frame_equal(read_output(tmp_path / "out"), to_table(found).to_pandas(), check_exact=True)


def test_an_interrupted_run_goes_on(tmp_path: Path, progress: Progress) -> None:
    """What is written stays; at the end nothing is missing, nothing is there twice, and checksums are those of the files."""
    request = ask(write_folder(make_frame(), tmp_path / "in"), tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        forecast_folder(request, Interrupted(3), progress)
    (tmp_path / "out" / "part-00001.parquet").unlink()  # lost, or cut off
    damaged = tmp_path / "out" / "part-00002.parquet"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:100] + bytes(100) + whole[200:])  # of the same size
    before = (tmp_path / "out" / "part-00000.parquet").stat().st_mtime_ns
    assert not (tmp_path / "out" / "_manifest.json").exists()

    forecast_folder(request, HERE, progress)

    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    files = {one["file"]: one["sha256"] for one in manifest["written"]}
    assert damaged.read_bytes() == whole
    assert "1 parts are there already" in progress.console.file.getvalue()  # type: ignore[attr-defined]
    assert (tmp_path / "out" / "part-00000.parquet").stat().st_mtime_ns == before
    assert files == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "out").glob("part-*")
    }
    assert read_output(tmp_path / "out").groupby("unique_id", sort=False).size().to_list() == [6] * 40


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"[]", b'{"part": 0}', b'{"part": 3, "left_out": 1}'])
def test_a_damaged_record_is_a_missing_one(tmp_path: Path, progress: Progress, damage: bytes) -> None:
    """Its part is written again."""
    request = ask(write_folder(make_frame(10), tmp_path / "in", ()), tmp_path / "out")
    manifest = forecast_folder(request, HERE, progress)
    record = tmp_path / "out" / "_parts" / "part-00000.json"
    whole = record.read_bytes()
    record.write_bytes(damage)

    assert forecast_folder(request, HERE, progress) == manifest
    assert record.read_bytes() == whole


def test_a_damaged_plan_is_refused(tmp_path: Path, progress: Progress) -> None:
    """Nobody knows what the forecasts are."""
    request = ask(write_folder(make_frame(10), tmp_path / "in", ()), tmp_path / "out")
    forecast_folder(request, HERE, progress)
    (tmp_path / "out" / "_plan.json").write_bytes(b"\0" * 40)

    with pytest.raises(ConfigInvalid, match="damaged"):
        forecast_folder(request, HERE, progress)


def test_series_that_cannot_be_forecast_are_in_the_manifest(tmp_path: Path, progress: Progress) -> None:
    """With the reason; the others of their part are forecast."""
    frame = make_frame(20)
    frame.loc[frame.unique_id == "s002", "y"] = None
    frame = pd.concat([frame, frame[frame.unique_id == "s019"].assign(y=1.0)], ignore_index=True)
    days = pd.DataFrame({"unique_id": "t", "ds": pd.date_range("2015-01-01", periods=40), "y": 1.0})
    request = ask(write_folder(pd.concat([frame, days]), tmp_path / "in"), tmp_path / "out")

    manifest = forecast_folder(request, HERE, progress)

    left = {one["id"]: one["detail"] for part in manifest["written"] for one in part["left_out"]}
    assert left.keys() == {"s002", "s019", "t"}
    assert "every value is missing" in left["s002"]
    assert "twice" in left["s019"]
    assert "frequency D" in left["t"]
    assert (manifest["forecasts"], manifest["left_out"], manifest["series"]) == (18, 3, 21)


@pytest.mark.parametrize("changes", [{"horizon": 7}, {"levels": (90.0,)}, {"outliers": "mask"}])
def test_forecasts_of_another_request_are_not_mixed(
    tmp_path: Path, progress: Progress, changes: dict[str, Any]
) -> None:
    """The folder of a run takes no parts of another one."""
    request = ask(write_folder(make_frame(10), tmp_path / "in", ()), tmp_path / "out")
    forecast_folder(request, HERE, progress)

    with pytest.raises(ConfigInvalid, match="other options"):
        forecast_folder(replace(request, **changes), HERE, progress)


def test_a_folder_with_other_files_is_refused(tmp_path: Path, progress: Progress) -> None:
    """Forecasts are not written between a person's files."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()

    with pytest.raises(ConfigInvalid, match=r"mine\.txt"):
        forecast_folder(ask(write_folder(make_frame(3), tmp_path / "in", ()), tmp_path / "out"), HERE, progress)


def test_a_part_that_fails_does_not_stop_the_others(tmp_path: Path, progress: Progress) -> None:
    """A file that is cut off during the run: the other parts are written, and the same command goes on."""
    folder = write_folder(make_frame(), tmp_path / "in", (960,))
    whole = (folder / "rows-1.parquet").read_bytes()
    request = ask(folder, tmp_path / "out")

    class Cutting(LocalEngine):
        def run(self, work: Work, tasks: Sequence[Any]) -> Iterator[Done]:
            (folder / "rows-1.parquet").write_bytes(whole[:-100])
            return super().run(work, tasks)

    with pytest.raises(TrainingError, match=r"rows-1\.parquet: is not a Parquet file"):
        forecast_folder(request, Cutting(1), progress)

    assert len(list((tmp_path / "out").glob("part-*"))) >= 2


def test_dates_that_tell_no_frequency_need_one(tmp_path: Path, progress: Progress) -> None:
    """The starter is chosen by it."""
    frame = pd.DataFrame({"unique_id": ["a", "b"], "ds": pd.to_datetime(["2020-01-01", "2020-01-01"]), "y": 1.0})
    request: BulkRequest = ask(write_folder(frame, tmp_path / "in", ()), tmp_path / "out")

    with pytest.raises(FrequencyNotInferred, match="--frequency"):
        forecast_folder(request, HERE, progress)
    assert forecast_folder(replace(request, frequency="M"), HERE, progress)["forecasts"] == 2
