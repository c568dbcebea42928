"""Scoring: forecasts compared with observations, which of them are evidence, and the sums of their errors."""
