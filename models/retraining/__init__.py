"""Retraining rules that service and training share: thresholds, evidence, reasons."""
