"""Commands of the service: serve, observe, key, audit."""
