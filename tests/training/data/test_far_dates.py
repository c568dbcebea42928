from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.errors import DataInvalid
from training.data.series_set import read_series

LENGTH = 96


def write_dates(path: Path, frequency: str, mistakes: dict[int, str], *, series: int = 3) -> Path:
    """Write series of a frequency; those of the last have other dates in the places of `mistakes`."""
    dates = [str(one.date()) for one in pd.date_range("2015-01-01", periods=LENGTH, freq=frequency)]
    lines = ["unique_id,ds,y"]
    for number in range(series):
        wrong = mistakes if number == series - 1 else {}
        lines += [f"s{number},{wrong.get(at, date)},{at % 7}" for at, date in enumerate(dates)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("series", [1, 3])
@pytest.mark.parametrize("frequency", ["MS", "D"])
@pytest.mark.parametrize(
    ("place", "mistake"), [(LENGTH - 1, "2199-01-01"), (40, "2199-01-01"), (0, "1970-01-01"), (40, "1970-01-01")]
)
def test_one_mistaken_date_is_named_with_its_series_and_row(
    tmp_path: Path, frequency: str, place: int, mistake: str, series: int
) -> None:
    """A year that was mistyped is refused before anything is computed, whichever row it stands in."""
    path = write_dates(tmp_path / "d.csv", frequency, {place: mistake}, series=series)

    with pytest.raises(DataInvalid) as caught:
        read_series(path)

    row = 2 + (series - 1) * LENGTH + place
    assert f"d.csv, row {row}: series 's{series - 1}' has the date {mistake}, " in caught.value.detail
    assert "years " in caught.value.detail
    assert "Correct the date" in caught.value.hint


@pytest.mark.parametrize("mistakes", [{95: "2150-06-01"}, {94: "2150-01-01", 95: "2150-02-01"}, {40: "0199-01-01"}])
@pytest.mark.parametrize("frequency", ["W-SUN", "MS", "ME", "D", "QS"])
def test_dates_centuries_away_are_named_before_a_frequency_is_looked_for(
    tmp_path: Path, frequency: str, mistakes: dict[int, str]
) -> None:
    """On whatever day of week or month they lie, and where there are two or three of them."""
    path = write_dates(tmp_path / "d.csv", frequency, mistakes)
    place, mistake = next(iter(mistakes.items()))

    with pytest.raises(
        DataInvalid, match=rf"row {2 + 2 * LENGTH + place}: series 's2' has the date {mistake}, \d+ years"
    ):
        read_series(path)


def test_mistaken_dates_far_from_each_other_are_found_by_the_gap_before_them(tmp_path: Path) -> None:
    """Where no date stands alone, the series that is too long says between which dates there is nothing."""
    path = write_dates(tmp_path / "d.csv", "D", {93: "2060-01-01", 94: "2100-01-01", 95: "2139-01-01"})

    with pytest.raises(
        DataInvalid, match=r"series 's2': .* no row between 2015-04-03 \(row 286\) and 2060-01-01 \(row 287\)"
    ):
        read_series(path)


@pytest.mark.parametrize(
    ("frequency", "rows"),
    [
        ("M", [*(f"{2000 + month // 12}-{month % 12 + 1:02d}-01" for month in range(48)), "2013-01-01"]),
        ("D", [*(f"2020-01-{day:02d}" for day in range(1, 31)), "2020-09-01"]),
        ("h", [*(f"2020-01-01T{hour:02d}:00" for hour in range(24)), "2020-01-09T00:00"]),
        ("M", ["1990-01-01", "2000-01-01", "2012-01-01"]),
    ],
)
def test_a_date_that_networks_reach_is_no_mistake(tmp_path: Path, frequency: str, rows: list[str]) -> None:
    """However few came before it."""
    path = tmp_path / "d.csv"
    path.write_text("unique_id,ds,y\n" + "".join(f"a,{date},{at}\n" for at, date in enumerate(rows)))

    data = read_series(path, frequency=frequency)

    assert int(np.isfinite(data.series[0].values).sum()) == len(rows)


def test_a_series_that_rested_for_years_is_no_mistake(tmp_path: Path) -> None:
    """A gap of which others saw the other side is a gap, and so is one shorter than what came before it."""
    rested = "".join(f"a,{date},1\n" for date in ("2000-01-01", "2000-02-01", "2000-03-01", "2019-12-01"))
    others = "".join(f"b,{2000 + month // 12}-{month % 12 + 1:02d}-01,1\n" for month in range(240))
    path = tmp_path / "d.csv"
    path.write_text(f"unique_id,ds,y\n{rested}{others}")

    data = read_series(path)

    assert [len(one) for one in data.series] == [240, 240]


def test_rows_without_values_cannot_be_strays(tmp_path: Path) -> None:
    """A placeholder of a series that was never observed is left out with it."""
    path = write_dates(tmp_path / "d.csv", "MS", {})
    path.write_text(path.read_text() + "empty,1900-01-01,\n")

    data = read_series(path)

    assert [one.id for one in data.series] == ["s0", "s1", "s2"]
