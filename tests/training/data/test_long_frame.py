from pathlib import Path

import numpy as np
import pytest

from models.covariates import CovariateNames
from models.errors import DataInvalid
from models.series import Series
from tests.training.fakes import write_covariates
from training.data.series_set import SeriesSet, digest, read_series

NAMES = CovariateNames.make(["traffic"], ["price"], ["DE"])


def codes(data: SeriesSet) -> list[str]:
    """Return the codes of what was noticed."""
    return [finding.code for finding in data.findings]


def test_rows_after_the_last_value_carry_what_is_known_ahead(tmp_path: Path) -> None:
    """History up to the file's last value, the future after it; a covariate that is not known ahead has none."""
    data = read_series(write_covariates(tmp_path / "d.csv", ids=("a",)), covariates=NAMES)

    (series,) = data.series
    assert len(series) == 36
    assert series.past_covariates["price"].tolist() == list(range(0, 360, 10))
    assert set(series.past_covariates) == {"traffic", "price"}
    assert series.future_covariates["price"].tolist() == list(range(360, 420, 10))
    assert set(series.future_covariates) == {"price"}
    assert data.covariates == NAMES
    assert codes(data) == ["ROWS_AHEAD"]


def test_without_covariates_known_ahead_such_rows_are_trimmed(tmp_path: Path) -> None:
    """As they are from any file; the digest is of the values alone."""
    path = write_covariates(tmp_path / "d.csv")

    plain, past = read_series(path), read_series(path, covariates=CovariateNames(("traffic",)))

    assert codes(plain) == ["COLUMNS_IGNORED", "ROWS_TRIMMED"]
    assert codes(past) == ["COLUMNS_IGNORED", "ROWS_TRIMMED"]
    assert len(past.series[0]) == len(plain.series[0]) == 36
    assert past.digest != plain.digest


def test_gaps_before_and_after_the_last_value_keep_their_places(tmp_path: Path) -> None:
    """A row that is missing is a step whose covariates are unknown, on either side."""
    path = write_covariates(tmp_path / "d.csv", ids=("a",))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:6], *lines[7:38], *lines[39:]]) + "\n")

    data = read_series(path, covariates=NAMES)

    (series,) = data.series
    assert np.isnan(series.past_covariates["price"][5])
    np.testing.assert_array_equal(series.future_covariates["price"], [360, np.nan, 380, 390, 400, 410])
    assert [repair.index for repair in series.repairs] == [5]
    assert "COVARIATE_GAPS" in codes(data)


def test_a_series_that_ends_earlier_has_its_future_at_the_same_time(tmp_path: Path) -> None:
    """What follows the file's last value lies as many steps ahead as the series ends before it."""
    path = write_covariates(tmp_path / "d.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not ("b,2016-1" in line or "b,2016-09" in line)) + "\n")

    short = read_series(path, covariates=NAMES).series[1]

    assert len(short) == 32
    np.testing.assert_array_equal(short.future_covariates["price"], [*[np.nan] * 4, *range(360, 420, 10)])


def test_a_second_file_may_say_what_is_known_ahead(tmp_path: Path) -> None:
    """By series; its rows up to the last value do not count, and unknown series are named."""
    data = write_covariates(tmp_path / "d.csv", ahead=0)
    later = write_covariates(tmp_path / "later.csv", ids=("a", "x"))

    found = read_series(data, covariates=NAMES, future=later)

    first, second = found.series
    assert first.future_covariates["price"].tolist() == list(range(360, 420, 10))
    assert second.future_covariates["price"].tolist() == []
    assert "SERIES_UNKNOWN" in codes(found)
    assert "'x'" in next(one.detail for one in found.findings if one.code == "SERIES_UNKNOWN")


def test_a_second_file_without_ids_is_everyones_future(tmp_path: Path) -> None:
    """As the weather of one place is for all its shops."""
    data = write_covariates(tmp_path / "d.csv", ahead=0)
    (tmp_path / "later.csv").write_text("ds,price\n2017-01,1\n2017-02,2\n")

    found = read_series(data, covariates=NAMES, future=tmp_path / "later.csv")

    assert [one.future_covariates["price"].tolist() for one in found.series] == [[1, 2], [1, 2]]


def test_a_second_file_is_refused_where_nothing_is_known_ahead(tmp_path: Path) -> None:
    """Holidays need no file."""
    path = write_covariates(tmp_path / "d.csv")

    with pytest.raises(DataInvalid, match="no covariate is known ahead"):
        read_series(path, covariates=CovariateNames.make(["traffic"], [], ["DE"]), future=path)


def test_the_digest_is_of_covariates_too() -> None:
    """Another price, past or ahead, is other data; no covariates are the digest of before."""
    made = [
        Series.make([1.0, 2.0], past_covariates=past, future_covariates=ahead)
        for past, ahead in (
            (None, None),
            ({"price": [1, 2]}, None),
            ({"price": [1, 3]}, None),
            ({"price": [1, 3]}, {"price": [4]}),
            ({"cost": [1, 3]}, {"price": [4]}),
        )
    ]

    assert len({digest([one]) for one in made}) == 5
    assert digest([made[0]]) == digest([Series.make([1.0, 2.0])])
