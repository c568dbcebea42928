"""Safeguards: what keeps a forecast from being led astray, and what a person should know of it."""
