"""Days without a midnight: clocks go forward at 00:00, so that the day begins at 01:00."""

import numpy as np
import pytest

from models.calendar.zoned_grid import format_timestamps
from models.series import Series

ZONES = {
    "Africa/Cairo": "2023-04-28",
    "America/Santiago": "2019-09-08",
    "Asia/Beirut": "2022-03-27",
    "America/Havana": "2020-03-08",
    "America/Asuncion": "2022-10-02",
    "America/Sao_Paulo": "2018-11-04",
    "Atlantic/Azores": "2022-03-27",
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("frequency", "steps"), [("D", 7305), ("W-MON", 1040), ("MS", 240), ("6h", 5_800)])
def test_twenty_years_are_read_as_they_are_written(zone: str, frequency: str, steps: int) -> None:
    """Each day is one step, whether written as local dates, local times with offsets or instants."""
    start = "2005-01-03" if frequency == "W-MON" else "2005-01-01"
    series = Series.make(np.ones(steps), start=start, frequency=frequency, timezone=zone)
    stamps = series.timestamps
    assert stamps is not None
    written = format_timestamps(stamps, series.style, zone)
    instants = [f"{one}Z" for one in np.datetime_as_string(stamps).tolist()]

    for texts in (written, instants, format_timestamps(stamps, "YYYY-MM-DDThh:mm", zone)):
        again = Series.make(np.ones(steps), timestamps=texts, timezone=zone)

        assert (again.frequency, again.repairs, again.findings) == (series.frequency, (), ())
        np.testing.assert_array_equal(again.timestamps, stamps)


@pytest.mark.parametrize(("zone", "day"), ZONES.items())
def test_a_series_may_start_on_such_a_day(zone: str, day: str) -> None:
    """It begins at the first instant of the day; the next days begin at midnight."""
    series = Series.make([1.0, 2.0, 3.0], start=day, frequency="D", timezone=zone)
    stamps = series.timestamps
    assert stamps is not None

    hours = [text[11:16] for text in format_timestamps(stamps, "YYYY-MM-DDThh:mm", zone)]

    assert hours == ["01:00", "00:00", "00:00"]
    assert format_timestamps(stamps, "YYYY-MM-DD", zone)[0] == day
