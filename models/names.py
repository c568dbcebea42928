"""Names: what a model or a schedule may be called, over REST and on the command line alike."""

LONGEST = 100
"""Bytes of UTF-8: jobs, folders and addresses are named after it."""

CHAMPION = "champion"
"""The registry alias of the version that is served by default."""

STARTER = "starter"
"""What a request, a card and a row call the model that comes with the package; no other one may be called so."""

RULE = f"up to {LONGEST} letters, digits, dots, dashes and underscores, and not dots alone"


def is_name(text: str) -> bool:
    """Return whether a text can stand in an address and name a folder."""
    plain = all(letter.isalnum() or letter in "-_." for letter in text)
    return plain and text.strip(".") != "" and len(text.encode()) <= LONGEST
