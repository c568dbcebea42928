"""Irregular: what makes values and dates a series: placement on a grid, repairs, implausible values, bounds."""
