"""Routes: one module per path; service/api/routers.py lists them."""
