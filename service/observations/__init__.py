"""Observations: read, validated, stored, exported."""
