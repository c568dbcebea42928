"""Limits on the history that a model keeps."""

SEASONS_KEPT = 30
"""Seasons that the seasonal means reach back: 360 months, the thirty years of a climate normal."""


LONGEST_CONTEXT = 2048
