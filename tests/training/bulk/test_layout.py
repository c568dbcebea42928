from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.errors import DataInvalid
from tests.training.bulk.folders import make_frame, write_folder
from training.bulk import layout
from training.bulk.layout import find_parts
from training.bulk.part_reader import PartReader
from training.bulk.places import Place
from training.config.training import Columns

NOTHING = Columns()


@pytest.mark.parametrize("cuts", [(), (1,), (500, 500, 1000), (96, 97, 98)])
def test_each_row_is_in_one_part_in_order(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    """Whatever the files and row groups, also an empty file; no series is in two parts."""
    frame = make_frame()
    place = Place.of(str(write_folder(frame, tmp_path / "in", cuts)))

    found = find_parts(place, NOTHING)

    reader = PartReader(place, found)
    tables = [reader.read(part).to_pandas() for part in found.parts]
    assert [len(set(one.unique_id)) for one in tables] == [8] * 5 == [part.series for part in found.parts]
    assert pd.concat(tables).y.reset_index(drop=True).equals(frame.y)
    assert found.last == np.datetime64("2018-12-01")


def test_long_series_make_smaller_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by rows; a part has a multiple of the series of one pass, and a series stays whole."""
    monkeypatch.setattr(layout, "ROWS_A_PART", 200)
    monkeypatch.setattr(layout, "BLOCK", 2)
    place = Place.of(str(write_folder(make_frame(7, 48), tmp_path / "in", ())))

    assert [part.series for part in find_parts(place, NOTHING).parts] == [4, 3]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda one: one.sort_values("ds"),
            r"begins at .*rows-0\.parquet, row \d+, and again at .*rows-0\.parquet, row \d+\. .*Sort the rows by id",
        ),
        (lambda one: one.assign(ds=one.ds.astype(str)), r"column 'ds': has the type .*string"),
        (lambda one: one.assign(ds=one.ds.dt.tz_localize("Europe/Berlin")), "Europe/Berlin"),
        (lambda one: one.assign(y=one.y.astype(str)), "column 'y': has the type"),
        (lambda one: one.assign(unique_id=None), "an id is missing|no column with the ids"),
        (lambda one: one[["ds", "y"]], "no column with the ids"),
        (lambda one: one.iloc[:0], "no rows"),
    ],
)
def test_what_cannot_be_cut_is_refused(tmp_path: Path, change: object, said: str) -> None:
    """With file, column or row, before anything is forecast."""
    frame: pd.DataFrame = change(make_frame(4, 30))  # type: ignore[operator]

    with pytest.raises(DataInvalid, match=said):
        find_parts(Place.of(str(write_folder(frame, tmp_path / "in", ()))), NOTHING)


def test_several_columns_name_a_series(tmp_path: Path) -> None:
    """A shop and a product: a series each, also where the product goes on in the next shop."""
    frame = make_frame(4, 12)
    frame = frame.assign(shop=frame.unique_id.str[:3], item="tea").drop(columns="unique_id")
    frame["item"] = np.where(frame.index < 18, "tea", "milk")
    place = Place.of(str(write_folder(frame, tmp_path / "in", ())))

    with pytest.raises(DataInvalid, match="no column with the ids"):
        find_parts(place, NOTHING)
    assert find_parts(place, Columns(id=("shop", "item"))).series == frame.groupby(["shop", "item"]).ngroups


def test_a_place_without_data_is_refused(tmp_path: Path) -> None:
    """A folder without Parquet files, or none at all; hidden files and records are no data."""
    (tmp_path / "_parts").mkdir()
    (tmp_path / "_parts" / "a.parquet").touch()

    for path, said in ((tmp_path, "no Parquet file"), (tmp_path / "nope", "no such")):
        with pytest.raises(DataInvalid, match=said):
            find_parts(Place.of(str(path)), NOTHING)
