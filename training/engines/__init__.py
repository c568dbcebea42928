"""Engines: where independent tasks run, on this machine or on a Ray cluster."""
