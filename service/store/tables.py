"""Tables of the database; a test compares them with what the migrations create.

Times are microseconds since 1970-01-01: UTC if the sender gave an offset or a timezone, else the wall clock as sent.
Arrays are those of `blobs`, steps first.
"""

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
)

SCHEMA = "almanac"
"""PostgreSQL's schema; SQLite has none, and the engine leaves it out."""

HEAD = "0001"
"""The newest migration; a database that has it starts without importing Alembic."""

ID_LENGTH = 256
_ID = String(ID_LENGTH).with_variant(String(ID_LENGTH, collation="C"), "postgresql")

metadata = MetaData(schema=SCHEMA)

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
    Index("ix_forecasts_series", "series_id", "last_timestamp"),
    Index("ix_forecasts_made", "made_at"),
    Index("ix_forecasts_due", "made_at", postgresql_where=text("due"), sqlite_where=text("due")),
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
    Index("ix_scores_scored", "scored_at"),
    Index("ix_scores_timestamp", "timestamp"),
)
