"""Described: what routes declare for the OpenAPI document, their responses and bodies; the document itself is in openapi.py."""

from collections.abc import Mapping
from typing import Any

from models.errors import AlmanacError
from service.api.schemas.problems import Problem
from service.problems import PROBLEM_TYPE, document

REF = "#/components/schemas/{model}"


def problems(
    description: str, *examples: AlmanacError | Mapping[str, Any], schema: type[Problem] = Problem
) -> dict[str, Any]:
    """Return the OpenAPI response for problems, with examples named by their codes."""
    documents = [document(one) if isinstance(one, AlmanacError) else one for one in examples]
    content = {
        "schema": {"$ref": REF.format(model=schema.__name__)},
        "examples": {one["code"]: {"value": one} for one in documents},
    }
    return {"description": description, "content": {PROBLEM_TYPE: content}}


def success(description: str, **examples: object) -> dict[str, Any]:
    """Return the OpenAPI response for JSON, with examples by name."""
    values = {name: {"value": value} for name, value in examples.items()}
    return {"description": description, "content": {"application/json": {"examples": values}}}


def request_body(schema: str, examples: Mapping[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI request body of a schema."""
    content = {"schema": {"$ref": REF.format(model=schema)}, "examples": examples}
    return {"required": True, "content": {"application/json": content}}
