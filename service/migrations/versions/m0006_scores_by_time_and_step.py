"""An index of scores by time and step, in place of that by time.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the index: sums by series and step read some steps of a few days."""
    schema = "almanac" if op.get_bind().dialect.name == "postgresql" else None
    op.create_index("ix_scores_timestamp_step", "scores", ["timestamp", "step"], schema=schema)
    op.drop_index("ix_scores_timestamp", "scores", schema=schema)
