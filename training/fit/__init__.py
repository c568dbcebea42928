"""Fitting one candidate: selection, training loop, ensemble, fine-tuning, export."""
