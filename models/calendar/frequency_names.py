"""Frequency names: what pandas and people call a unit, and where in its period the timestamps of an alias lie."""

from typing import Literal

StampPlace = Literal["start", "end", "business_start", "business_end", "exact"]
"""Where in its period a timestamp lies."""

BUSINESS_HOUR = "bh"
"""The unit whose steps are computed by pandas."""

ALIASES: dict[str, tuple[str, StampPlace]] = {
    **dict.fromkeys(("M", "ME"), ("M", "end")),
    "MS": ("M", "start"),
    **dict.fromkeys(("BM", "BME", "CBM", "CBME"), ("M", "business_end")),
    **dict.fromkeys(("BMS", "CBMS"), ("M", "business_start")),
    **dict.fromkeys(("Q", "QE"), ("Q", "end")),
    "QS": ("Q", "start"),
    **dict.fromkeys(("BQ", "BQE"), ("Q", "business_end")),
    "BQS": ("Q", "business_start"),
    **dict.fromkeys(("A", "Y", "YE"), ("Y", "end")),
    **dict.fromkeys(("AS", "YS"), ("Y", "start")),
    **dict.fromkeys(("BA", "BY", "BYE"), ("Y", "business_end")),
    **dict.fromkeys(("BAS", "BYS"), ("Y", "business_start")),
    "W": ("W", "end"),
    "D": ("D", "exact"),
    **dict.fromkeys(("B", "C"), ("B", "exact")),
    **dict.fromkeys(("H", "h"), ("h", "exact")),
    **dict.fromkeys(("T", "min"), ("min", "exact")),
    **dict.fromkeys(("S", "s"), ("s", "exact")),
    **dict.fromkeys(("L", "ms"), ("ms", "exact")),
    **dict.fromkeys(("U", "us"), ("us", "exact")),
    **dict.fromkeys(("N", "ns"), ("ns", "exact")),
    **dict.fromkeys(("BH", "bh", "CBH", "cbh"), (BUSINESS_HOUR, "exact")),
}
"""Unit and place of each alias of pandas, old or new."""

WORDS = {
    **dict.fromkeys(("year", "yearly", "annual", "annually", "yr", "year end"), "Y"),
    "year start": "YS",
    **dict.fromkeys(("half year", "half yearly", "semi annual", "semiannual", "semi annually", "semiannually"), "6M"),
    **dict.fromkeys(("quarter", "quarterly", "qtr", "quarter end"), "Q"),
    "quarter start": "QS",
    **dict.fromkeys(("month", "monthly", "mo", "month end"), "M"),
    "month start": "MS",
    "business month end": "BME",
    "business month start": "BMS",
    **dict.fromkeys(("fortnight", "fortnightly"), "2W"),
    **dict.fromkeys(("week", "weekly", "wk"), "W"),
    **dict.fromkeys(("day", "daily", "calendar day"), "D"),
    **dict.fromkeys(("business day", "business daily", "business", "weekday", "working day", "workday"), "B"),
    **dict.fromkeys(("business hour", "business hourly"), "bh"),
    **dict.fromkeys(("hour", "hourly", "hr"), "h"),
    **dict.fromkeys(("half hour", "half hourly"), "30min"),
    **dict.fromkeys(("quarter hour", "quarter hourly"), "15min"),
    **dict.fromkeys(("minute", "minutely", "min"), "min"),
    **dict.fromkeys(("second", "secondly", "sec"), "s"),
    **dict.fromkeys(("millisecond", "milli"), "ms"),
    **dict.fromkeys(("microsecond", "micro"), "us"),
    **dict.fromkeys(("nanosecond", "nano"), "ns"),
}
"""Alias of each English word."""
