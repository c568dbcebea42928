import numpy as np
import pytest

from service.observations.series_view import make_series
from service.store.observations import Calendar, SeriesInfo


@pytest.mark.parametrize(("zone", "shown"), [(None, "2041-12-01"), ("Europe/Berlin", "2041-12-01T01:00:00+01:00")])
def test_a_stored_date_of_a_wrong_year_is_named_with_the_way_to_take_it_back(zone: str | None, shown: str) -> None:
    """The forecast of the series has the finding as a warning; a stored value is removed by posting null."""
    stamps = np.append(np.arange("2023-01-01", "2024-01-01", dtype="M8[D]"), np.datetime64("2041-12-01")).astype(
        "M8[us]"
    )
    known = SeriesInfo("a", Calendar("24h" if zone else "D", zone), len(stamps), stamps[0], stamps[-1])

    found = [one for one in make_series(known, stamps, np.ones(len(stamps))).findings if one.code == "DATE_STRAY"]

    assert [one.detail[:10] for one in found] == ["2041-12-01"]
    assert f"post null at {shown}, " in found[0].hint
