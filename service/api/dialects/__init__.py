"""Dialects: the APIs of other forecasting services, translated to the forecaster of POST /forecast and back."""
