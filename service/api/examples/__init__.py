"""Examples for the OpenAPI document, recorded from real responses."""
