"""From a forecast request to its response."""
