"""Names: rules for names of models and schedules, over REST and on the command line."""

LONGEST = 100
"""Longest name in bytes of UTF-8, because jobs, folders and URLs contain it."""

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
"""Registry aliases: the version that is served by default, the newest one, and the champion before the current one."""

STARTER = "starter"
"""Reserved name of the pretrained model that ships with the package."""

FAMILY, SEGMENT_COLUMN, SEGMENT = "almanac.family", "almanac.segment_column", "almanac.segment"
"""Tags of a registered model that is trained on one segment: the name that was trained, the column, and its value."""

RULE = f"up to {LONGEST} letters, digits, dots, dashes and underscores, and not dots alone"


def is_name(text: str) -> bool:
    """Return whether a text is a valid name: usable in a URL and as a folder."""
    plain = all(letter.isalnum() or letter in "-_." for letter in text)
    return plain and text.strip(".") != "" and len(text.encode()) <= LONGEST
