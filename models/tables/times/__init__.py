"""Times: how the dates and times of a file are written, in one column, in several, or in the names of columns."""
