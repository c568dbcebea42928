from pathlib import Path

from training.data.series_set import read_series


def test_a_series_that_ended_years_before_the_others_is_named(tmp_path: Path) -> None:
    """Its forecast begins years ago; one that is a few months late is not named."""
    rows = [("old", 2018, 2019), ("late", 2022, 2023), ("new", 2022, 2024)]
    path = tmp_path / "d.csv"
    path.write_text(
        "unique_id,ds,y\n"
        + "".join(
            f"{name},{year}-{month:02d},1\n"
            for name, *years in rows
            for year in range(*years)
            for month in range(1, 13)
        )
    )

    found = [finding for finding in read_series(path).findings if finding.code == "SERIES_ENDED"]

    assert len(found) == 1
    assert "'old' (2018-12-01) ended" in found[0].detail
    assert "late" not in found[0].detail
