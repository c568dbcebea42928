"""Tracing: OpenTelemetry's spans, of requests and of jobs."""
