"""Timing: how long a shutdown may take."""

CLOSING_SECONDS = 25.0
"""How long writing the waiting forecasts and closing may take after the drain time."""
