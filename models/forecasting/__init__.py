"""Forecasting: what a forecast request asks for, and how the series of several requests share one pass of the network."""
