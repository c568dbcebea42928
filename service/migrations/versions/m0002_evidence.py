"""Evidence: which forecasts and scores count, the sums of scores, and the record of erasures.

Scores of before count as they did, each truth once for each version, series, cutoff and step.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from models.calendar.timestamps import to_local_times

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID_LENGTH = 256
MOST_ERROR = 10.0
BATCH = 1_000
DAY = 86_400_000_000

SUMS = """
count(*), count(absolute_scaled_error),
coalesce(sum(absolute_scaled_error), 0), coalesce(sum(naive_scaled_error), 0), coalesce(sum(scaled_pinball), 0),
coalesce(sum(CASE WHEN covered_80 THEN 1 ELSE 0 END), 0), count(covered_80),
coalesce(sum(CASE WHEN covered_95 THEN 1 ELSE 0 END), 0), count(covered_95)
"""


def upgrade() -> None:
    """Add columns, indexes and tables, and fill them."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    schema = "almanac" if postgresql else None
    key = sa.String(ID_LENGTH, collation="C") if postgresql else sa.String(ID_LENGTH)
    _add_columns(schema)
    _make_sums(key, schema)
    _make_others(schema)
    _fill("almanac." if postgresql else "")
    _add_indexes(schema)


def _add_columns(schema: str | None) -> None:
    for column in (
        sa.Column(
            "is_evidence",
            sa.Boolean,
            server_default=sa.true(),
            comment="history agrees with observations; null: not judged yet",
        ),
        sa.Column(
            "history_from", sa.BigInteger, comment="oldest of history_timestamps; null once the forecast is evidence"
        ),
        sa.Column(
            "history_timestamps", sa.LargeBinary, comment="(points,) int64, a sample of the history; null as above"
        ),
        sa.Column("history_values", sa.LargeBinary, comment="(points,) float64, NaN for a gap; null as above"),
        sa.Column("counted", sa.Integer, nullable=False, server_default="0", comment="its scores that count"),
    ):
        op.add_column("forecasts", column, schema=schema)
    day = sa.Column(
        "day", sa.Integer, nullable=False, server_default="0", comment="of the step, local, days since 1970"
    )
    op.add_column("scores", day, schema=schema)
    counts = sa.Column(
        "counts", sa.Boolean, nullable=False, server_default=sa.false(), comment="of equal steps only one counts"
    )
    op.add_column("scores", counts, schema=schema)


def _sum_columns() -> list[sa.Column[int] | sa.Column[float]]:
    names = ("scores", "scaled", "error", "naive_error", "pinball", "covered_80", "intervals_80", "covered_95")
    reals = {"error", "naive_error", "pinball"}
    return [
        sa.Column(name, sa.Double if name in reals else sa.Integer, nullable=False) for name in (*names, "intervals_95")
    ]


def _make_sums(key: sa.String, schema: str | None) -> None:
    op.create_table(
        "sums_by_step",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column(
            "scored_day",
            sa.Integer,
            primary_key=True,
            autoincrement=False,
            comment="of scored_at, UTC, days since 1970",
        ),
        *_sum_columns(),
        schema=schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sums_by_series",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("series_id", key, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        *_sum_columns(),
        schema=schema,
        sqlite_with_rowid=False,
    )


def _make_others(schema: str | None) -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("erased_at", sa.BigInteger, nullable=False),
        sa.Column("series_sha256", sa.String(64), nullable=False, comment="of the id, which is not stored"),
        sa.Column("observations", sa.Integer, nullable=False),
        sa.Column("forecasts", sa.Integer, nullable=False),
        sa.Column("scores", sa.Integer, nullable=False),
        schema=schema,
    )
    op.create_table(
        "write_checks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "content", sa.LargeBinary, nullable=False, comment="zeros, written to learn whether writing works again"
        ),
        schema=schema,
    )


def _add_indexes(schema: str | None) -> None:
    op.create_index("ix_forecasts_truth", "forecasts", ["series_id", "first_timestamp"], schema=schema)
    op.create_index("ix_forecasts_counted", "forecasts", ["counted", "made_at", "model", "version"], schema=schema)
    disputed = sa.text("NOT is_evidence")
    op.create_index(
        "ix_forecasts_disputed",
        "forecasts",
        ["made_at"],
        schema=schema,
        postgresql_where=disputed,
        sqlite_where=disputed,
    )


def _fill(prefix: str) -> None:
    """Bound the scaled errors, find the days, decide which scores count, and sum these."""
    scores, forecasts = f"{prefix}scores", f"{prefix}forecasts"
    for name in ("absolute_scaled_error", "naive_scaled_error", "scaled_pinball"):
        op.execute(f"UPDATE {scores} SET {name} = {MOST_ERROR} WHERE {name} > {MOST_ERROR}")
    before_1970 = f"CASE WHEN timestamp % {DAY} < 0 THEN 1 ELSE 0 END"
    op.execute(f"UPDATE {scores} SET day = timestamp / {DAY} - {before_1970}")
    _find_local_days(scores, forecasts)
    op.execute(f"""
        UPDATE {scores} SET counts = true WHERE (forecast_id, step) IN (
            SELECT forecast_id, step FROM (
                SELECT s.forecast_id, s.step, row_number() OVER (
                    PARTITION BY f.model, f.version, f.series_id, f.first_timestamp, s.step
                    ORDER BY f.made_at, f.forecast_id
                ) AS place
                FROM {scores} s JOIN {forecasts} f ON f.forecast_id = s.forecast_id
            ) AS ranked WHERE place = 1
        )""")
    op.execute(f"""
        UPDATE {forecasts} SET counted = (
            SELECT count(*) FROM {scores} s WHERE s.forecast_id = {forecasts}.forecast_id AND s.counts
        )""")
    joined = f"FROM {scores} s JOIN {forecasts} f ON f.forecast_id = s.forecast_id WHERE s.counts"
    op.execute(f"""
        INSERT INTO {prefix}sums_by_step
        SELECT model, version, day, step, scored_at / {DAY} AS scored_day, {SUMS} {joined}
        GROUP BY model, version, day, step, scored_at / {DAY}""")
    op.execute(f"""
        INSERT INTO {prefix}sums_by_series
        SELECT model, version, series_id, day, {SUMS} {joined}
        GROUP BY model, version, series_id, day""")


def _find_local_days(scores: str, forecasts: str) -> None:
    """Correct the days of forecasts with a timezone, whose timestamps are instants."""
    import numpy as np

    bind = op.get_bind()
    zoned = sa.text(
        f"SELECT DISTINCT f.timezone, s.timestamp FROM {scores} s JOIN {forecasts} f ON f.forecast_id = s.forecast_id "
        "WHERE f.timezone IS NOT NULL"
    )
    change = sa.text(
        f"UPDATE {scores} SET day = :day WHERE timestamp = :at AND day <> :day AND forecast_id IN "
        f"(SELECT forecast_id FROM {forecasts} WHERE timezone = :zone)"
    )
    found = bind.execute(zoned).all()
    for zone in {row.timezone for row in found}:
        times = [row.timestamp for row in found if row.timezone == zone]
        local = to_local_times(np.array(times, dtype="i8").view("M8[us]"), zone)
        days = local.astype("M8[D]").astype("i8").tolist()
        changes = [
            {"day": day, "at": at, "zone": zone} for day, at in zip(days, times, strict=True) if day != at // DAY
        ]
        for place in range(0, len(changes), BATCH):
            bind.execute(change, changes[place : place + BATCH])
