"""Tables of observations, forecasts and scores.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID_LENGTH = 256


def upgrade() -> None:
    """Create the four tables."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    schema = "almanac" if postgresql else None
    key = sa.String(ID_LENGTH, collation="C") if postgresql else sa.String(ID_LENGTH)
    op.create_table(
        "series",
        sa.Column("id", key, primary_key=True),
        sa.Column("frequency", sa.String(40), comment="canonical name, where somebody said it"),
        sa.Column("timezone", sa.String(64), comment="IANA name, where somebody said it"),
        sa.Column("created", sa.BigInteger, nullable=False),
        schema=schema,
    )
    op.create_table(
        "observations",
        sa.Column("series_id", key, primary_key=True),
        sa.Column("timestamp", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Double, comment="null: nothing was observed"),
        sa.Column("updated", sa.BigInteger, nullable=False),
        schema=schema,
        sqlite_with_rowid=False,
    )
    _make_forecasts(key, schema)
    _make_scores(schema)


def _make_forecasts(key: sa.String, schema: str | None) -> None:
    op.create_table(
        "forecasts",
        sa.Column("forecast_id", sa.String(36), primary_key=True),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("alias", sa.Text),
        sa.Column("run_id", sa.Text),
        sa.Column("series_id", key, nullable=False),
        sa.Column("frequency", sa.String(40)),
        sa.Column("timezone", sa.String(64)),
        sa.Column("style", sa.String(64), nullable=False, comment="how the request wrote its timestamps"),
        sa.Column("cutoff", sa.BigInteger, comment="timestamp of the last value of the history; null without dates"),
        sa.Column("first_timestamp", sa.BigInteger),
        sa.Column("last_timestamp", sa.BigInteger),
        sa.Column("horizon", sa.Integer, nullable=False),
        sa.Column("timestamps", sa.LargeBinary, comment="(horizon,) int64; null without dates"),
        sa.Column(
            "levels",
            sa.Text,
            nullable=False,
            comment="JSON list of quantile levels, rising; sides of intervals among them",
        ),
        sa.Column("quantiles", sa.LargeBinary, nullable=False, comment="(horizon, levels) float64"),
        sa.Column("median", sa.LargeBinary, nullable=False, comment="(horizon,) float64"),
        sa.Column(
            "naive", sa.LargeBinary, nullable=False, comment="(horizon,) float64, seasonal naive from the same history"
        ),
        sa.Column(
            "scale", sa.Double, comment="in-sample error of the seasonal naive; null where there is none above 0"
        ),
        sa.Column("context_used", sa.Integer, nullable=False),
        sa.Column(
            "due", sa.Boolean, nullable=False, server_default=sa.false(), comment="observations may score it anew"
        ),
        schema=schema,
    )
    op.create_index("ix_forecasts_series", "forecasts", ["series_id", "last_timestamp"], schema=schema)
    op.create_index("ix_forecasts_made", "forecasts", ["made_at"], schema=schema)
    due = sa.text("due")
    op.create_index("ix_forecasts_due", "forecasts", ["made_at"], schema=schema, postgresql_where=due, sqlite_where=due)


def _make_scores(schema: str | None) -> None:
    target = "almanac.forecasts.forecast_id" if schema else "forecasts.forecast_id"
    op.create_table(
        "scores",
        sa.Column("forecast_id", sa.String(36), sa.ForeignKey(target, ondelete="CASCADE"), primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False, comment="1 is the first after the cutoff"),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sa.Column("observed", sa.Double, nullable=False),
        sa.Column("absolute_scaled_error", sa.Double),
        sa.Column("naive_scaled_error", sa.Double),
        sa.Column("pinball", sa.Double, nullable=False, comment="mean over the levels, the series' units"),
        sa.Column("scaled_pinball", sa.Double),
        sa.Column("covered_80", sa.Boolean),
        sa.Column("covered_95", sa.Boolean),
        sa.Column("scored_at", sa.BigInteger, nullable=False),
        schema=schema,
    )
    op.create_index("ix_scores_scored", "scores", ["scored_at"], schema=schema)
    op.create_index("ix_scores_timestamp", "scores", ["timestamp"], schema=schema)
