"""Page inputs: what tests paste into the page, and what is wrong with some of it."""

import math

WRONG_INPUTS = (
    ("[35, 40, null, null", "not valid JSON", "Send"),
    ("[null, null]", "is missing", "Send"),
    (
        "month,sales\n2024-01,35\n2024-02,warm\n2024-03,38",
        "Row 3: The value 'warm' is not a number",
        "Leave gaps empty",
    ),
    ("2024-01,35\n2024-02,warm\n2024-03,38", "Row 2: The value 'warm' is not a number", "Leave gaps empty"),
    ("[35, 1e400, 29]", "Value 2 is too large", "null"),
    ("35 40 x 19", "Value 3: 'x' is not a number", "the same unit"),
    ("hello", "holds no rows", "Give a file with a header"),
)
"""Pasted text, with what is said of it and what to do."""

FIVE_MONTHS = [35, 40, 38, 29, 19]
HOSTILE = "<script>alert(1)</script>"
MONTHS = [f"{2010 + at // 12}-{at % 12 + 1:02d}" for at in range(72)]
VALUES = [round(50 + 10 * math.sin(at / 12 * 2 * math.pi) + at % 5, 2) for at in range(72)]

DAY = 86400
STAMPS = {
    "1970": 0,
    "1970-02": 31 * DAY,
    "1970-Q2": 90 * DAY,
    "1970-04-02": 91 * DAY,
    "1970-04-02T01:00": 91 * DAY + 3600,
    "1970-04-02 02:00:00.5+05:30": 91 * DAY + 7200.5,
    "2970-04-02T02:00:01Z": 31_564_864_801,
}
"""Timestamps that rise, with the seconds of their wall clocks since 1970."""
REPEATED_HOUR = ["2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00"]
