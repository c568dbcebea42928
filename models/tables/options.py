"""Options: how the columns of a file are named and written, where that is not the usual way."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file; None finds it out.

    Attributes:
        ids: Columns that together name a series.
        time: Column of the timestamps.
        value: Column of the values.
        decimal: What separates decimals: `.` or `,`.
        thousands: What separates thousands: `,`, `.`, a space or an apostrophe.
        date_format: How dates are written, as for `strptime`, such as `%d/%m/%Y`.
        sheet: Sheet of a workbook.
    """

    ids: tuple[str, ...] = ()
    time: str | None = None
    value: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    date_format: str | None = None
    sheet: str | None = None
