"""What training asks of a running service: observations and live accuracy."""
