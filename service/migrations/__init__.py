"""Migrations: create the tables of the database, or upgrade those of an older Almanac."""
