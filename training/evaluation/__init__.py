"""Backtests, baselines, rolling origins and promotion criteria."""
