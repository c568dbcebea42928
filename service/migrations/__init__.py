"""Migrations: how a database comes from nothing, or from an older Almanac, to the tables of this one."""
