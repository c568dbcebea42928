"""Pydantic schemas of requests and responses, for the OpenAPI document."""
