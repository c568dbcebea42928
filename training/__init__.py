"""Training: the offline pipeline, from a file of series to a registered model."""
