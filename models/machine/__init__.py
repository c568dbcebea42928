"""Machine: what is under a process, its memory and its files."""
