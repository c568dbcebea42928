"""Tables of the database; a test compares them with what the migrations create.

Times are microseconds since 1970-01-01: UTC if the sender gave an offset or a timezone, else the wall clock as sent.
Arrays are those of `blobs`, steps first.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
    true,
)

SCHEMA = "almanac"
"""PostgreSQL's schema; SQLite has none, and the engine leaves it out."""

HEAD = "0007"
"""The newest migration; a database that has it starts without importing Alembic."""

ID_LENGTH = 256
_ID = String(ID_LENGTH).with_variant(String(ID_LENGTH, collation="C"), "postgresql")

metadata = MetaData(schema=SCHEMA)

IS_DUE = text("due")
IS_DISPUTED = text("NOT is_evidence")
"""Conditions of partial indexes, also for queries: SQLite uses such an index only for a condition that is written alike.

On PostgreSQL the migrations give them to the indexes: to name its options here imports its dialect.
"""

series = Table(
    "series",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("frequency", String(40), comment="canonical name, where somebody said it"),
    Column("timezone", String(64), comment="IANA name, where somebody said it"),
    Column("created", BigInteger, nullable=False),
)

observations = Table(
    "observations",
    metadata,
    Column("series_id", _ID, primary_key=True),
    Column("timestamp", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Double, comment="null: nothing was observed"),
    Column("updated", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

forecasts = Table(
    "forecasts",
    metadata,
    Column("forecast_id", String(36), primary_key=True),
    Column("made_at", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("alias", Text),
    Column("run_id", Text),
    Column("series_id", _ID, nullable=False),
    Column("frequency", String(40)),
    Column("timezone", String(64)),
    Column("style", String(64), nullable=False, comment="how the request wrote its timestamps"),
    Column("cutoff", BigInteger, comment="timestamp of the last value of the history; null without dates"),
    Column("first_timestamp", BigInteger),
    Column("last_timestamp", BigInteger),
    Column("horizon", Integer, nullable=False),
    Column("timestamps", LargeBinary, comment="(horizon,) int64; null without dates"),
    Column(
        "levels", Text, nullable=False, comment="JSON list of quantile levels, rising; sides of intervals among them"
    ),
    Column("quantiles", LargeBinary, nullable=False, comment="(horizon, levels) float64"),
    Column("median", LargeBinary, nullable=False, comment="(horizon,) float64"),
    Column("naive", LargeBinary, nullable=False, comment="(horizon,) float64, seasonal naive from the same history"),
    Column("scale", Double, comment="in-sample error of the seasonal naive; null where there is none above 0"),
    Column("context_used", Integer, nullable=False),
    Column("due", Boolean, nullable=False, server_default=false(), comment="observations may score it anew"),
    Column(
        "is_evidence", Boolean, server_default=true(), comment="history agrees with observations; null: not judged yet"
    ),
    Column("history_from", BigInteger, comment="oldest of history_timestamps; null once the forecast is evidence"),
    Column("history_timestamps", LargeBinary, comment="(points,) int64, a sample of the history; null as above"),
    Column("history_values", LargeBinary, comment="(points,) float64, NaN for a gap; null as above"),
    Column("counted", Integer, nullable=False, server_default="0", comment="its scores that count"),
    Index("ix_forecasts_series", "series_id", "last_timestamp"),
    Index("ix_forecasts_truth", "series_id", "first_timestamp"),
    Index("ix_forecasts_counted", "counted", "made_at", "model", "version"),
    Index("ix_forecasts_disputed", "made_at", sqlite_where=IS_DISPUTED),
    Index("ix_forecasts_made", "made_at"),
    Index("ix_forecasts_due", "made_at", sqlite_where=IS_DUE),
)

scores = Table(
    "scores",
    metadata,
    Column("forecast_id", ForeignKey(forecasts.c.forecast_id, ondelete="CASCADE"), primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False, comment="1 is the first after the cutoff"),
    Column("timestamp", BigInteger, nullable=False),
    Column("observed", Double, nullable=False),
    Column("absolute_scaled_error", Double),
    Column("naive_scaled_error", Double),
    Column("pinball", Double, nullable=False, comment="mean over the levels, the series' units"),
    Column("scaled_pinball", Double),
    Column("covered_80", Boolean),
    Column("covered_95", Boolean),
    Column("scored_at", BigInteger, nullable=False),
    Column("day", Integer, nullable=False, server_default="0", comment="of the step, local, days since 1970"),
    Column("counts", Boolean, nullable=False, server_default=false(), comment="of equal steps only one counts"),
    Index("ix_scores_scored", "scored_at"),
    Index("ix_scores_timestamp_step_day", "timestamp", "step", "day"),
)


def _sums() -> list[Column[Any]]:
    """Return the columns of a rollup that are sums of scores, in the order of `ScoreSums`."""
    kinds: dict[str, type[Any]] = {
        "scores": Integer,
        "scaled": Integer,
        "error": Double,
        "naive_error": Double,
        "pinball": Double,
        "covered_80": Integer,
        "intervals_80": Integer,
        "covered_95": Integer,
        "intervals_95": Integer,
    }
    return [Column(name, kind, nullable=False) for name, kind in kinds.items()]


sums_by_step = Table(
    "sums_by_step",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("scored_day", Integer, primary_key=True, autoincrement=False, comment="of scored_at, UTC, days since 1970"),
    *_sums(),
    sqlite_with_rowid=False,
)

sums_by_series = Table(
    "sums_by_series",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("series_id", _ID, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    *_sums(),
    sqlite_with_rowid=False,
)

sums_by_series_step = Table(
    "sums_by_series_step",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("series_id", _ID, primary_key=True),
    Column("month", Integer, primary_key=True, autoincrement=False, comment="its first day, days since 1970"),
    *_sums(),
    sqlite_with_rowid=False,
)

sums_by_series_step_week = Table(
    "sums_by_series_step_week",
    metadata,
    Column(
        "week", Integer, primary_key=True, autoincrement=False, comment="its Monday, or the 1st of a month within it"
    ),
    Column("model", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("series_id", _ID, primary_key=True),
    *_sums(),
    sqlite_with_rowid=False,
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("erased_at", BigInteger, nullable=False),
    Column("series_sha256", String(64), nullable=False, comment="of the id, which is not stored"),
    Column("observations", Integer, nullable=False),
    Column("forecasts", Integer, nullable=False),
    Column("scores", Integer, nullable=False),
)

erasure_marks = Table(
    "erasure_marks",
    metadata,
    Column("series_sha256", String(64), primary_key=True, comment="of the id, which is not stored"),
    Column("erased_at", BigInteger, nullable=False),
)

service_state = Table(
    "service_state",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated", BigInteger, nullable=False),
)

write_checks = Table(
    "write_checks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False, comment="zeros, written to learn whether writing works again"),
)
