"""Typed configuration of training and retraining, read from TOML."""
