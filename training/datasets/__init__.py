"""Datasets that ship: real measurements, and the scripts that made their files."""
