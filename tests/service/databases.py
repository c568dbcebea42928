"""Databases: empties a PostgreSQL between tests."""

import psycopg

from service.store.tables import SCHEMA


def emptied(url: str) -> str:
    """Delete the tables of earlier tests in a PostgreSQL, and return its URL."""
    with psycopg.connect(url) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    return url
