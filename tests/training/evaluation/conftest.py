import pytest

from models.series import Series
from training.data.holdout import Split, hold_out


@pytest.fixture
def split(series: list[Series]) -> Split:
    """Return three monthly series with their last year held out."""
    return hold_out(series, 12, season_length=12)
