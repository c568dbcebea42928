"""Data: files to series, training windows, synthetic series."""
