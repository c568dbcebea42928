"""Server processes of `almanac serve --workers N`: the connection of each to their parent, and what they share."""
