"""An index of scores by time, step and day, in place of that by time and step.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the index: only scores of the wanted days are read, though local days begin at other times than those of UTC."""
    schema = "almanac" if op.get_bind().dialect.name == "postgresql" else None
    op.create_index("ix_scores_timestamp_step_day", "scores", ["timestamp", "step", "day"], schema=schema)
    op.drop_index("ix_scores_timestamp_step", "scores", schema=schema)
