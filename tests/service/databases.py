"""Databases: what the tests of the store do to one from outside."""

import psycopg

from service.store.tables import SCHEMA


def emptied(url: str) -> str:
    """Return the URL of a PostgreSQL after taking from it whatever a test has left there."""
    with psycopg.connect(url) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    return url
