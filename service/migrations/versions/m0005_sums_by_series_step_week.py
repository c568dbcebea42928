"""Sums of scores by series, step and week.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
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
MONDAY = "day - ((day + 3) % 7 + 7) % 7"
WEEK_SQLITE = f"max({MONDAY}, CAST(strftime('%s', day * 86400, 'unixepoch', 'start of month') AS INTEGER) / 86400)"
WEEK_POSTGRESQL = (
    f"greatest({MONDAY}, CAST(extract(epoch FROM date_trunc('month', "
    "timezone('UTC', to_timestamp(CAST(day AS bigint) * 86400)))) / 86400 AS integer))"
)


def upgrade() -> None:
    """Add the table, and sum the scores that count."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    key = sa.String(ID_LENGTH, collation="C") if postgresql else sa.String(ID_LENGTH)
    week = "its Monday, or the 1st of a month within it"
    op.create_table(
        "sums_by_series_step_week",
        sa.Column("week", sa.Integer, primary_key=True, autoincrement=False, comment=week),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("series_id", key, primary_key=True),
        *(sa.Column(name, sa.Double if name in REALS else sa.Integer, nullable=False) for name in NAMES),
        schema="almanac" if postgresql else None,
        sqlite_with_rowid=False,
    )
    prefix, week = ("almanac.", WEEK_POSTGRESQL) if postgresql else ("", WEEK_SQLITE)
    op.execute(
        sa.text(
            f"INSERT INTO {prefix}sums_by_series_step_week SELECT {week} AS week, model, version, step, series_id, {SUMS} "
            f"FROM {prefix}scores s JOIN {prefix}forecasts f ON f.forecast_id = s.forecast_id WHERE s.counts "
            "GROUP BY 1, model, version, step, series_id"
        )
    )
