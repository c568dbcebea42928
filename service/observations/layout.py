"""Layout: which columns of a posted file are ids, timestamps and values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.columns import NAMES, find_columns
from service.errors import FieldInvalid, FieldMissing


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file.

    Attributes:
        time: The timestamps.
        values: The values; a file without ids is wide and has a column for each series.
        id: The ids, or None.
    """

    time: str
    values: tuple[str, ...]
    id: str | None


def find_layout(columns: Sequence[str]) -> Layout:
    """Return the layout of a file, by the rules of a training.

    A long file has columns for id, time and value. The value may have any name if no other column is left; so may the time
    if it comes first. A wide file has one time column, and all others are series.

    Raises:
        FieldInvalid: If several columns can be the same field.
        FieldMissing: If a column is missing.
    """
    key, time, value = (find_name(columns, what) for what in NAMES)
    if time is None and columns and columns[0] not in {key, value}:
        time = columns[0]
    if time is None:
        raise _missing("timestamp", columns)
    others = [name for name in columns if name not in {key, time, value}]
    if value is not None:
        if key is None and others:  # one of them may be a misspelt id
            raise _missing("id", columns)
        return Layout(time, (value,), key)
    if not others or (key is not None and len(others) > 1):
        raise _missing("value", columns)
    if len(set(others)) < len(others):
        raise FieldInvalid("Two columns have the same name.", pointer="/value", hint="Name each series differently.")
    return Layout(time, tuple(others), key)


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


def no_ids(reason: str) -> FieldMissing:
    """Return the error of a file that has no id column and cannot be wide."""
    return FieldMissing(
        f"There is no id column, and {reason}.",
        pointer="/id",
        hint=f"Name the id column {' or '.join(NAMES['id'])}. Without one, each column is a series.",
    )


def _missing(what: str, columns: Sequence[str]) -> FieldMissing:
    return FieldMissing(
        f"There is no {what} column among {', '.join(columns)[:200] or 'none'}.",
        pointer=f"/{what}",
        hint=f"Name it {' or '.join(NAMES[what])}.",
    )
