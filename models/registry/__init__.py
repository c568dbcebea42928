"""The model registry: which version of a model answers, by its aliases."""
