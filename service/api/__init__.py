"""The REST interface: routes, schemas, examples, middleware."""
