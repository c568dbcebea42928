"""Backtests, baselines, rolling origins, significance and promotion criteria."""
