"""Store: observations, served forecasts and their scores, in SQLite or PostgreSQL."""
