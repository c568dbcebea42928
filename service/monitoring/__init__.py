"""Live accuracy, drift, the log of forecasts, and Prometheus metrics."""
