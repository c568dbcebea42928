import numpy as np

from service.observations.series_view import make_series
from service.store.observations import Calendar, SeriesInfo


def test_a_stored_date_of_a_wrong_year_is_named_with_the_way_to_take_it_back() -> None:
    """The forecast of the series has the finding as a warning; a stored value is removed by posting null."""
    stamps = np.append(np.arange("2010-01", "2024-01", dtype="M8[M]"), np.datetime64("2041-12")).astype("M8[us]")
    known = SeriesInfo("a", Calendar("M"), len(stamps), stamps[0], stamps[-1])

    found = [one for one in make_series(known, stamps, np.ones(len(stamps))).findings if one.code == "DATE_STRAY"]

    assert [one.detail.partition(" lies ")[0] for one in found] == ["2041-12-01"]
    assert "post null at 2041-12-01" in found[0].hint
