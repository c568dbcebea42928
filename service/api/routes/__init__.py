"""Routes: one module per path; all.py lists them."""
