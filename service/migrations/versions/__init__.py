"""Versions: one file for each step, in the order of their names."""
