"""The REST edge: answers forecasts from the models that MLflow has registered."""
