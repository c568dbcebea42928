"""Bulk forecasts: folders of Parquet files of any size, part by part, with a manifest."""
