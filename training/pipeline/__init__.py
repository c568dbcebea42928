"""The train use case: read, fit candidates, backtest, compare, register, promote."""
