"""Erasure marks: when a series was erased, so that forecasts of before that still wait elsewhere are not written.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; it is empty, because a restart has emptied the queues of before."""
    op.create_table(
        "erasure_marks",
        sa.Column("series_sha256", sa.String(64), primary_key=True, comment="of the id, which is not stored"),
        sa.Column("erased_at", sa.BigInteger, nullable=False),
        schema="almanac" if op.get_bind().dialect.name == "postgresql" else None,
    )
