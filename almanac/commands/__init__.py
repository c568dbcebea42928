"""Commands of the command line that are clients of a service."""
