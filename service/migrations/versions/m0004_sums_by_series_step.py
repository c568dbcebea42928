"""Sums of scores by series, step and month, and what the service remembers over restarts.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID_LENGTH = 256
REALS = {"error", "naive_error", "pinball"}
NAMES = (
    "scores",
    "scaled",
    "error",
    "naive_error",
    "pinball",
    "covered_80",
    "intervals_80",
    "covered_95",
    "intervals_95",
)
SUMS = """
count(*), count(absolute_scaled_error),
coalesce(sum(absolute_scaled_error), 0), coalesce(sum(naive_scaled_error), 0), coalesce(sum(scaled_pinball), 0),
coalesce(sum(CASE WHEN covered_80 THEN 1 ELSE 0 END), 0), count(covered_80),
coalesce(sum(CASE WHEN covered_95 THEN 1 ELSE 0 END), 0), count(covered_95)
"""
MONTH_SQLITE = "CAST(strftime('%s', day * 86400, 'unixepoch', 'start of month') AS INTEGER) / 86400"
MONTH_POSTGRESQL = (
    "CAST(extract(epoch FROM date_trunc('month', timezone('UTC', to_timestamp(CAST(day AS bigint) * 86400)))) / 86400 "
    "AS integer)"
)


def upgrade() -> None:
    """Add the tables, and sum the scores that count."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    schema = "almanac" if postgresql else None
    key = sa.String(ID_LENGTH, collation="C") if postgresql else sa.String(ID_LENGTH)
    op.create_table(
        "sums_by_series_step",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("series_id", key, primary_key=True),
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False, comment="its first day, days since 1970"),
        *(sa.Column(name, sa.Double if name in REALS else sa.Integer, nullable=False) for name in NAMES),
        schema=schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "service_state",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        schema=schema,
    )
    prefix, month = ("almanac.", MONTH_POSTGRESQL) if postgresql else ("", MONTH_SQLITE)
    op.execute(
        sa.text(
            f"INSERT INTO {prefix}sums_by_series_step SELECT model, version, step, series_id, {month} AS month, {SUMS} "
            f"FROM {prefix}scores s JOIN {prefix}forecasts f ON f.forecast_id = s.forecast_id WHERE s.counts "
            "GROUP BY model, version, step, series_id, 5"
        )
    )
