"""Calendar: frequencies, dates, and the grid of timestamps that a series lies on."""
