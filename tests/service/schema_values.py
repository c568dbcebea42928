"""Schema values: any JSON, and values of a JSON schema as the OpenAPI document has them."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

MOST_DEPTH = 6
"""Below it, values of a schema have no optional parts."""

TEXTS = st.sampled_from([
    *("a", "s1", "temperatures", "temperatures@champion", "temperatures/1", "starter", "monthly", "12", "M", "D", "UTC"),
    *("80", "0.5", "2024-01-01", "1e400", "-1", "true", "../../etc/passwd", "%2e%2e", "\0", "é", "\u0661", "", " ", "a" * 3_000),
]) | st.text(st.characters(codec="utf-8"), max_size=12)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**330), 10**330)
    | st.floats()
    | TEXTS
    | st.sampled_from([1e308, 1e-308, 5e-324])
)
ANYTHING = st.recursive(
    SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(TEXTS, one, max_size=3), max_leaves=6
)


def by_schema(schema: Mapping[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Return values of a JSON schema, of the keywords that the document uses; lists and texts stay short."""
    components = schema.get("components", {})
    if "$ref" in schema:
        return by_schema(
            {**components["schemas"][schema["$ref"].rpartition("/")[2]], "components": components}, depth + 1
        )
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    choices = schema.get("anyOf") or schema.get("oneOf") or []
    if choices:
        return st.sampled_from(choices).flatmap(lambda one: by_schema({**one, "components": components}, depth))
    kind = schema.get("type")
    if kind == "object":
        return objects(schema, components, depth)
    if kind == "array":
        items = by_schema({**schema.get("items", {}), "components": components}, depth + 1)
        return st.lists(items, min_size=min(schema.get("minItems", 0), 3), max_size=0 if depth > MOST_DEPTH else 4)
    least, most = schema.get("minimum", schema.get("exclusiveMinimum", -5)), schema.get("maximum", 10**6)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        "string": TEXTS,
        "integer": st.integers(int(least), int(max(least, most))),
        "number": st.floats(least, max(least, most)) | st.integers(int(least), int(max(least, most))),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return plain.get(kind, ANYTHING)


@st.composite
def objects(draw: st.DrawFn, schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """Return objects of a JSON schema: every required property, and some of the others."""
    required = schema.get("required", [])
    found = {
        name: draw(by_schema({**one, "components": components}, depth + 1))
        for name, one in schema.get("properties", {}).items()
        if name in required or (depth <= MOST_DEPTH and draw(st.integers(0, 2)) == 0)
    }
    if isinstance(schema.get("additionalProperties"), dict) and depth <= MOST_DEPTH:
        one = {**schema["additionalProperties"], "components": components}
        found |= draw(st.dictionaries(TEXTS, by_schema(one, depth + 1), max_size=2))
    return found
