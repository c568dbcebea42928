"""The demos: one training with a service, and years replayed against a running service."""
