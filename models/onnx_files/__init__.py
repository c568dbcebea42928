"""What a stored network may contain: standard operators and its own weights, and nothing of another file."""
