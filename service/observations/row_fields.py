"""Row fields: which fields of a JSON row are id, timestamp and value."""

from collections.abc import Iterable

from models.columns import find_columns
from service.errors import FieldInvalid


def find_name(columns: Iterable[str], what: str) -> str | None:
    """Return the column with one of the usual names of a field, or None.

    Raises:
        FieldInvalid: If there are several.
    """
    found = find_columns(columns, what)
    if len(found) > 1:
        raise FieldInvalid(
            f"The columns {' and '.join(found)} can both be the {what}.", pointer=what, hint="Send one of them."
        )
    return found[0] if found else None
