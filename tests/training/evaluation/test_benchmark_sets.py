import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.errors import DataInvalid
from tests.training.evaluation.benchmark_folders import write_set
from training.evaluation.benchmark_sets import hold_out_end, read_index, seasonal_error


def test_the_last_rows_are_the_test_and_the_history_ends_before_them(tmp_path: Path) -> None:
    """Each series is cut at its own end; the scale is of the history alone."""
    write_set(
        tmp_path, "a", {"x": [1, 2, 3, 5, 2, 9, 100, 200], "y": [0, 0, 0, 1, 7, 8]}, frequency="M", horizon=2, season=3
    )

    held = hold_out_end(read_index(tmp_path)[0])

    assert [one.values.tolist() for one in held.histories] == [[1, 2, 3, 5, 2, 9], [0, 0, 0, 1]]
    assert_array_equal(held.targets, [[100, 200], [7, 8]])
    assert_allclose(held.scales, [(4 + 0 + 6) / 3, 1.0])
    assert_array_equal(held.steps, [[0, 1], [0, 1]])


def test_series_without_a_history_are_skipped(tmp_path: Path) -> None:
    """As long as the test, or with gaps alone before it."""
    write_set(tmp_path, "a", {"x": [1, 2], "y": [math.nan, 3, 4], "z": [1, 2, 3]}, frequency="Y", horizon=2)

    held = hold_out_end(read_index(tmp_path)[0])

    assert [one.id for one in held.histories] == ["z"]
    assert held.skipped == 2


def test_missing_rows_of_the_test_do_not_move_the_others(tmp_path: Path) -> None:
    """A row three days after the last one is the third step, not the first."""
    path = write_set(tmp_path, "a", {"x": [*range(10)]}, frequency="D", horizon=2)
    frame = pd.read_parquet(path)
    frame.drop(index=[3, 7, 8]).to_parquet(path)

    held = hold_out_end(read_index(tmp_path)[0])

    assert_array_equal(held.targets, [[6, 9]])
    assert_array_equal(held.steps, [[0, 3]])
    assert len(held.histories[0]) == 6


def test_a_sample_is_spaced_evenly(tmp_path: Path) -> None:
    """First and last are in it."""
    write_set(tmp_path, "a", {str(number): [1, 2, 3] for number in range(9)}, frequency="Y", horizon=1)

    assert [one.id for one in hold_out_end(read_index(tmp_path)[0], 3).histories] == ["0", "4", "8"]


def test_origins_are_a_horizon_apart_as_far_as_there_is_a_history(tmp_path: Path) -> None:
    """The newest counts in any case, the others with a history of a horizon at the least."""
    write_set(tmp_path, "a", {"x": [1, 2, 3, 4, 5, 6, 7], "y": [1, 2, 3]}, frequency="Y", horizon=2)

    held = hold_out_end(read_index(tmp_path)[0], origins=9)

    assert_array_equal(held.targets, [[6, 7], [4, 5], [2, 3]])
    assert [one.values.tolist() for one in held.histories] == [[1, 2, 3, 4, 5], [1, 2, 3], [1]]


@pytest.mark.parametrize(
    ("history", "season", "scale"),
    [([1, 2, 4], 1, 1.5), ([1, math.nan, 4, 9], 1, 5.0), ([1, 2], 2, math.nan), ([5, 5, 5], 1, math.nan)],
)
def test_a_scale_that_is_undefined_or_zero_is_none(history: list[float], season: int, scale: float) -> None:
    """No shorter lag stands in for a season that the history does not have."""
    assert seasonal_error(np.array(history, dtype=float), season) == pytest.approx(scale, nan_ok=True)


@pytest.mark.parametrize(
    ("index", "outcome"),
    [
        (None, r"INDEX\.csv cannot be read: No such file"),
        ("file,frequency\na,M\n", r"has no column horizon, season; it has file, frequency"),
        ("file,frequency,horizon,season\na,X,1,1\n", r"row 2, column 'frequency'.*X"),
        (
            "file,frequency,horizon,season\na,M,0,1\n",
            r"row 2, column 'horizon': the cell is '0', not a whole number from 1 to",
        ),
        ("file,frequency,horizon,season\na,M,1\n", r"row 2, column 'season': the cell is empty"),
        (f"file,frequency,horizon,season\na,M,1,{'9' * 5000}\n", r"row 2, column 'season': the cell is '9{40}…'"),
        ("file,frequency,horizon,season\na,M,1,1\na,M,2,1\n", r"row 3, column 'file': 'a' is in a row above"),
        ("file,frequency,horizon,season\n", r"lists no set"),
    ],
)
def test_an_index_that_cannot_be_used_is_refused(tmp_path: Path, index: str | None, outcome: str) -> None:
    """The error names file, row and column."""
    if index is not None:
        (tmp_path / "INDEX.csv").write_text(index)

    with pytest.raises(DataInvalid, match=outcome):
        read_index(tmp_path)


def test_blanks_and_the_suffix_of_a_file_do_not_count(tmp_path: Path) -> None:
    """People write INDEX.csv by hand."""
    (tmp_path / "INDEX.csv").write_text("file , frequency, horizon, season\n x.parquet, M , 3, 12\n")

    (one,) = read_index(tmp_path)

    assert (one.name, one.path.name, one.frequency, one.horizon, one.season) == ("x", "x.parquet", "M", 3, 12)


def test_a_test_without_values_is_an_error(tmp_path: Path) -> None:
    """Nothing can be compared."""
    write_set(tmp_path, "a", {"x": [1, 2, 3, math.nan]}, frequency="Y", horizon=1)

    with pytest.raises(DataInvalid, match="no value of the last 1 rows is observed"):
        hold_out_end(read_index(tmp_path)[0])


def test_only_known_sets_can_be_chosen(tmp_path: Path) -> None:
    """The error lists them."""
    write_set(tmp_path, "a", {"x": [1, 2, 3]}, frequency="Y", horizon=1)

    with pytest.raises(DataInvalid, match=r"no set 'b'\. Choose from a"):
        read_index(tmp_path, ["b"])
