"""The models that the service answers with: registry process, cache, catalog, starters."""
