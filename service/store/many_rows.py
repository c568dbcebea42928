"""Many rows: rows that are inserted as tuples, since SQLAlchemy takes longer to bind the values of a row than databases to write it."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table


def insert_many(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    added: Sequence[str] = (),
) -> None:
    """Insert rows into a table.

    Args:
        connection: In a transaction that writes.
        table: The table.
        names: Its columns, in the order of the values.
        rows: Values that the drivers take as they are.
        added: Columns whose values are added to those of the row that has the primary key already; without any, such a row
            is an error.
    """
    if rows:
        is_postgresql = connection.dialect.name == "postgresql"
        connection.exec_driver_sql(_insertion(table, tuple(names), tuple(added), is_postgresql=is_postgresql), [*rows])


@cache
def _insertion(table: Table, names: tuple[str, ...], added: tuple[str, ...], *, is_postgresql: bool) -> str:
    into = f"{table.fullname if is_postgresql else table.name} AS old ({', '.join(names)})"
    values = ", ".join(["%s" if is_postgresql else "?"] * len(names))
    keys = ", ".join(column.name for column in table.primary_key.columns)
    sums = ", ".join(f"{name} = old.{name} + excluded.{name}" for name in added)
    on_conflict = f" ON CONFLICT ({keys}) DO UPDATE SET {sums}" if added else ""
    return f"INSERT INTO {into} VALUES ({values}){on_conflict}"  # noqa: S608 (names of our columns)
