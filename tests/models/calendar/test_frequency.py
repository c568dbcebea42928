import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.tseries.frequencies import to_offset

from models.calendar.frequency import MONTH_NAMES, WEEKDAY_NAMES
from models.calendar.frequency_names import ALIASES
from models.calendar.frequency_names import WORDS as ENGLISH
from models.calendar.zoned_grid import Frequency, parse_frequency
from models.errors import FrequencyUnknown

PERIOD_NAMES = {
    **dict.fromkeys(("M", "ME", "MS", "BM", "BME", "BMS", "CBM", "CBME", "CBMS", "m", "me", "bms"), "M"),
    **dict.fromkeys(("Q", "QE", "QS", "BQ", "BQE", "BQS", "Q-MAR", "QE-JUN", "QS-OCT", "BQE-SEP", "BQS-APR"), "Q-DEC"),
    **dict.fromkeys(("Q-FEB", "QE-AUG", "QS-DEC", "BQS-MAR", "QE-NOV"), "Q-NOV"),
    **dict.fromkeys(("Q-JAN", "QS-FEB", "BQE-JUL", "QS-NOV"), "Q-OCT"),
    **dict.fromkeys(("A", "Y", "YE", "YS", "AS", "BA", "BY", "BYE", "BYS", "BAS", "A-DEC", "AS-JAN", "y"), "Y-DEC"),
    **dict.fromkeys(("A-JUN", "YE-JUN", "YS-JUL", "BAS-JUL", "BYE-JUN"), "Y-JUN"),
    **dict.fromkeys(("W", "W-SUN", "w", "w-sun", "1W"), "W-SUN"),
    **dict.fromkeys(("D", "d", "24h", "1440min", "86400s", "1D"), "D"),
    **dict.fromkeys(("B", "C", "b"), "B"),
    **dict.fromkeys(("H", "h", "60min", "60T", "1.0h"), "h"),
    **dict.fromkeys(("T", "min", "t", "MIN", "60s", "60S"), "min"),
    **dict.fromkeys(("S", "s", "1000ms", "1000L"), "s"),
    **dict.fromkeys(("L", "ms", "l"), "ms"),
    **dict.fromkeys(("U", "us", "u"), "us"),
    **dict.fromkeys(("N", "ns", "n"), "ns"),
    **dict.fromkeys(("BH", "bh", "CBH", "cbh"), "bh"),
    **dict.fromkeys(("15min", "15T", "0.25h", "15 min"), "15min"),
    **dict.fromkeys(("1h30min", "90min", "1.5h", "90T", "1H 30T", "1 hour 30 minutes"), "90min"),
    **dict.fromkeys(("3M", "3ME", "3MS", "3 months", "every 3 months"), "3M"),
    **dict.fromkeys(("2W", "2W-SUN", "fortnightly", "2 weeks"), "2W-SUN"),
    "1D12h": "36h",
    "2BQE-FEB": "2Q-NOV",
    "10YS": "10Y-DEC",
}

WORDS = {
    **dict.fromkeys(("yearly", "annual", "Annually", "year", "YEARS", "years"), "Y-DEC"),
    **dict.fromkeys(("quarterly", "Quarter", "quarters"), "Q-DEC"),
    **dict.fromkeys(("monthly", "Monthly", "month", "months", " monthly "), "M"),
    **dict.fromkeys(("weekly", "week", "weeks"), "W-SUN"),
    **dict.fromkeys(("daily", "DAILY", "day", "days", "every day"), "D"),
    **dict.fromkeys(("business daily", "business_daily", "business day", "business-days", "weekdays"), "B"),
    **dict.fromkeys(("hourly", "hour", "hours"), "h"),
    **dict.fromkeys(("half-hourly", "half hour", "every 30 minutes", "30minutes", "30 mins"), "30min"),
    **dict.fromkeys(("minutely", "minute", "every minute"), "min"),
    **dict.fromkeys(("secondly", "second", "seconds"), "s"),
    **dict.fromkeys(("milliseconds",), "ms"),
    **dict.fromkeys(("half-yearly", "semiannual"), "6M"),
}

CURRENT = ["ME", "MS", "BME", "BMS", "D", "B", "h", "min", "s", "ms", "us", "ns"] + [
    f"{unit}-{month}" for unit in ("QE", "QS", "BQE", "BQS", "YE", "YS", "BYE", "BYS") for month in MONTH_NAMES
]
UNKNOWN = ["", " ", "-", "Ms", "mS", "X", "W-XYZ", "Q-XXX", "D-SUN", "M-DEC"]
UNKNOWN += ["0D", "-1h", "1.5M", "2ME15min", "1W2D", "1e3s", "\u0661min", "15", "hmin", "0.0000000001s", "M M"]
UNSUPPORTED = ["SM", "SME-10", "SMS", "2SMS-20", "wom-2tue", "LWOM-FRI", "RE-L-DEC-MON", "REQ-N-JAN-SUN-4"]
UNSUPPORTED += ["semi-monthly", "semimonthly", "every half month"]


@pytest.mark.parametrize(("alias", "name"), {**PERIOD_NAMES, **WORDS}.items())
def test_every_alias_has_one_name(alias: str, name: str) -> None:
    """Old or new, long or short: who means the same periods gets the same frequency."""
    assert parse_frequency(alias) == Frequency(name)


@pytest.mark.parametrize("name", sorted({*PERIOD_NAMES.values(), *WORDS.values()}))
def test_a_canonical_name_means_itself(name: str) -> None:
    """What a spec.json says is read back as it was."""
    assert parse_frequency(name).name == name


@pytest.mark.parametrize("unit", sorted(ALIASES))
def test_every_alias_in_the_table_parses(unit: str) -> None:
    """No alias in the table is out of reach."""
    assert parse_frequency(unit)


@pytest.mark.parametrize("word", sorted(ENGLISH))
def test_every_word_parses_in_singular_and_plural(word: str) -> None:
    """A word may be said of one step or of many."""
    assert parse_frequency(f"2 {word}s") == parse_frequency(f"2 {word}")


@pytest.mark.parametrize("alias", CURRENT)
@pytest.mark.parametrize("multiple", ["", "3"])
def test_every_current_pandas_alias_is_known(alias: str, multiple: str) -> None:
    """Whatever pandas writes as `freqstr`, Almanac reads."""
    assert parse_frequency(to_offset(multiple + alias).freqstr)


@pytest.mark.parametrize("alias", UNKNOWN)
def test_an_unknown_alias_is_refused(alias: str) -> None:
    """An unknown alias, no positive step, or two units that do not add up: FREQUENCY_UNKNOWN."""
    with pytest.raises(FrequencyUnknown) as caught:
        parse_frequency(alias)

    assert caught.value.pointer == "/frequency"
    assert caught.value.hint


@pytest.mark.parametrize("alias", UNSUPPORTED)
def test_an_unsupported_frequency_is_refused_with_the_advice_to_resample(alias: str) -> None:
    """Half months, nth weekdays and 52-53-week years are refused as an alias and as a canonical name."""
    for read in (parse_frequency, Frequency):
        with pytest.raises(FrequencyUnknown) as caught:
            read(alias)

        assert "MS" in caught.value.hint


@pytest.mark.parametrize(("typo", "meant"), [("montly", "monthly"), ("W-SUM", "W"), ("hourli", "hourly")])
def test_a_typo_is_answered_with_what_comes_near(typo: str, meant: str) -> None:
    """The hint names the alias that was probably meant."""
    with pytest.raises(FrequencyUnknown) as caught:
        parse_frequency(typo)

    assert meant in caught.value.hint


@pytest.mark.parametrize("alias", ["15m", "5 m", "1h30m"])
def test_several_m_may_be_minutes(alias: str) -> None:
    """Prometheus, Grafana and polars mean minutes by what old pandas takes for months."""
    with pytest.raises(FrequencyUnknown, match=f"'{alias}'") as caught:
        parse_frequency(alias)

    assert "min" in caught.value.hint


@pytest.mark.parametrize("value", [5, 1.5, None, True, ["M"], {"a": 1}, b"M"])
def test_a_frequency_that_is_no_text_is_refused(value: object) -> None:
    """JSON may send anything; the answer is typed all the same."""
    with pytest.raises(FrequencyUnknown):
        parse_frequency(value)  # type: ignore[arg-type]


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No text makes anything but a frequency, which means itself, or FREQUENCY_UNKNOWN."""
    try:
        frequency = parse_frequency(text)
    except FrequencyUnknown:
        return
    assert parse_frequency(frequency.name) == frequency


@given(st.integers(1, 50_000), st.sampled_from(["h", "min", "s", "ms", "us", "ns", "D"]))
def test_a_fixed_step_is_as_long_as_pandas_says(count: int, unit: str) -> None:
    """However the name is shortened, the step stays."""
    start = pd.Timestamp("1972-02-28").as_unit("ns")

    name = parse_frequency(f"{count}{unit}").name

    assert start + to_offset(name) == start + to_offset(f"{count}{unit}")


@pytest.mark.parametrize(
    ("alias", "seasons"),
    [
        *[
            ("Y", (1,)),
            ("Q", (4,)),
            ("M", (12,)),
            ("2M", (6,)),
            ("5M", (1,)),
            ("W", (52,)),
            ("2W", (26,)),
            ("7D", (52,)),
        ],
        *[("D", (7, 365)), ("3D", (1,)), ("B", (5, 260)), ("h", (24, 168)), ("2h", (12, 84)), ("5h", (1,))],
        *[("30min", (48, 336)), ("15min", (96, 672)), ("5min", (288, 2016)), ("min", (60, 1440)), ("s", (60, 3600))],
        *[("ms", (1,)), ("bh", (8, 40))],
    ],
)
def test_the_seasons_of_a_frequency(alias: str, seasons: tuple[int, ...]) -> None:
    """A season is the shortest cycle worth a model's while; multiples divide it where they can."""
    frequency = parse_frequency(alias)

    assert (frequency.season_length, frequency.seasons) == (seasons[0], seasons)


@pytest.mark.parametrize(
    ("alias", "stamp"),
    [
        ("M", "end"),
        ("MS", "start"),
        ("BM", "business_end"),
        ("BMS", "business_start"),
        ("QS-OCT", "start"),
        ("D", "exact"),
    ],
)
def test_the_alias_says_where_stamps_lie(alias: str, stamp: str) -> None:
    """Month starts and month ends are one frequency, stamped in different places."""
    assert parse_frequency(alias).stamp == stamp


def test_equality_goes_by_name_alone() -> None:
    """A model trained on month ends forecasts month starts."""
    assert parse_frequency("MS") == parse_frequency("ME")
    assert len({parse_frequency("MS"), parse_frequency("BM"), parse_frequency("monthly")}) == 1


@pytest.mark.parametrize("name", ["ME", "monthly", "W", "60min0", "Q-MAR", "0M", "M-DEC", ""])
def test_a_frequency_refuses_a_name_that_is_not_canonical(name: str) -> None:
    """A Frequency in hand has the one name; only parse_frequency reads the others."""
    with pytest.raises(FrequencyUnknown):
        Frequency(name)


@pytest.mark.parametrize(
    ("alias", "parts"),
    [("15min", (15, "min", "")), ("M", (1, "M", "")), ("2Q-MAR", (2, "Q", "DEC")), ("W-FRI", (1, "W", "FRI"))],
)
def test_the_parts_of_a_name(alias: str, parts: tuple[int, str, str]) -> None:
    """Multiple, unit and anchor can be had without parsing the name again."""
    frequency = parse_frequency(alias)

    assert (frequency.multiple, frequency.unit, frequency.anchor) == parts


@pytest.mark.parametrize("weekday", WEEKDAY_NAMES)
def test_weeks_keep_their_weekday(weekday: str) -> None:
    """W-MON and W-TUE are different weeks."""
    assert parse_frequency(f"w-{weekday.lower()}").name == f"W-{weekday}"
