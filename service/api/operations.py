"""Operations: what every operation in the OpenAPI document has: a readable id, and the responses of the middleware."""

from collections.abc import Mapping
from typing import Any

from service.api.security import scopes_for
from service.problems import PROBLEM_TYPE

NAMES: Mapping[tuple[str, str], str] = {
    ("post", "/forecast"): "forecast",
    ("post", "/validate"): "validate",
    ("get", "/forecasts/{forecast_id}"): "get_forecast",
    ("post", "/observations"): "post_observations",
    ("get", "/observations/export"): "export_observations",
    ("get", "/observations/count"): "count_observations",
    ("get", "/series"): "list_series",
    ("get", "/series/{series_id}"): "get_series",
    ("delete", "/series/{series_id}"): "delete_series",
    ("get", "/series/{series_id}/forecast"): "forecast_series",
    ("get", "/accuracy"): "get_accuracy",
    ("get", "/models"): "list_models",
    ("get", "/models/{model}"): "get_model",
    ("post", "/models/{name}/champion"): "promote_version",
    ("post", "/models/{name}/rollback"): "roll_back",
    ("get", "/schedules"): "list_schedules",
    ("post", "/schedules"): "create_schedule",
    ("get", "/schedules/{name}"): "get_schedule",
    ("delete", "/schedules/{name}"): "delete_schedule",
    ("post", "/schedules/{name}/pause"): "pause_schedule",
    ("post", "/schedules/{name}/resume"): "resume_schedule",
    ("post", "/schedules/{name}/trigger"): "trigger_schedule",
    ("post", "/schedules/{name}/backfill"): "backfill_schedule",
    ("get", "/jobs"): "list_jobs",
    ("post", "/jobs"): "create_job",
    ("get", "/jobs/{job_id}"): "get_job",
    ("post", "/jobs/{job_id}/cancel"): "cancel_job",
    ("get", "/health/live"): "get_liveness",
    ("get", "/health/ready"): "get_readiness",
    ("get", "/metrics"): "get_metrics",
}
"""Ids of operations, from which generated clients make the names of their functions."""

CONTENT = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def complete(paths: Mapping[str, Mapping[str, dict[str, Any]]]) -> None:
    """Add to each operation its id and the responses that it has from the middleware; other responses stay."""
    for path, operations in paths.items():
        for method, operation in operations.items():
            operation["operationId"] = NAMES.get((method, path), operation["operationId"].partition("__")[0])
            responses = operation["responses"]
            for status, description in _refusals(method, path, has_body="requestBody" in operation).items():
                if status not in responses or "application/json" in responses[status].get("content", {}):
                    responses[status] = {"description": description, "content": CONTENT}
            for response in responses.values():
                _remove_default(response)
            operation["responses"] = dict(sorted(responses.items()))


def _refusals(method: str, path: str, *, has_body: bool) -> dict[str, str]:
    """Return the statuses with which the middleware refuses a request, with their descriptions."""
    refusals = {
        "400": "The request has no Host, or cannot be read.",
        "403": "A page of another site sends the request.",
        "421": "The Host is not a name of this service.",
        "422": "A parameter is wrong, unknown or sent twice.",
    }
    if scopes_for(path) is not None:
        refusals |= {
            "401": "Keys are set, and the request has none of them.",
            "403": "The key lacks the scope, or a page of another site sends the request.",
        }
    if has_body or method not in {"get", "head"}:
        refusals["415"] = "The body is of a type or encoding that the route does not read."
    return refusals


def _remove_default(response: dict[str, Any]) -> None:
    """Remove FastAPI's empty schema of a JSON response beside the type that is really sent."""
    content = response.get("content", {})
    if len(content) > 1 and content.get("application/json") == {"schema": {}}:
        del content["application/json"]
