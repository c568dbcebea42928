"""Configuration errors: a wrong setting as one ConfigInvalid that has its key, the value received and what is accepted."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StrictFloat, StrictInt, ValidationError, model_validator

from models.errors import ConfigInvalid

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""How every table is validated: no unknown keys, no infinities."""

Count = Annotated[int, Field(strict=True, ge=1)]
"""A whole number from 1 on."""

Number = StrictInt | StrictFloat
"""Any number; one that is written as a whole number stays one."""

ACCEPTED = {
    "bool_type": "true or false",
    "finite_number": "finite",
    "float_type": "a number",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "int_type": "a whole number",
    "less_than_equal": "at most {le}",
    "path_type": "a path",
    "string_type": "text",
    "too_short": "a list of at least {min_length}",
    "tuple_type": "a list",
}
"""What is accepted, by type of pydantic's error."""


def config_errors(table: str) -> Any:  # noqa: ANN401 - pydantic's descriptor
    """Return a validator of a pydantic dataclass that turns its errors into ConfigInvalid; `table` is its name in TOML."""

    def validate(cls: Any, value: Any, handler: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - whatever is configured
        try:
            return handler(value)
        except ValidationError as error:
            raise _config_invalid(error, cls, table) from error

    return model_validator(mode="wrap")(classmethod(validate))  # type: ignore[arg-type]  # typed for methods only


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise ConfigInvalid if a value is not among the choices; the hint names the nearest one."""
    if value not in choices:
        raise ConfigInvalid(f"{name} {value!r} is unknown.", hint=_nearest(value, choices))


def check_names(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Raise ConfigInvalid if a list of names is empty, or has a name that is unknown or repeated."""
    if not names:
        raise ConfigInvalid(f"No {what} given.", hint=f"Known: {', '.join(known)}.")
    for name in names:
        check_choice(what, name, known)
    if len(set(names)) < len(names):
        raise ConfigInvalid(f"{what} {max(names, key=names.count)} is repeated. Received: {', '.join(names)}.")


def _config_invalid(error: ValidationError, cls: Any, table: str) -> ConfigInvalid:  # noqa: ANN401 - any dataclass
    """Return the first error, an unknown key before all others."""
    errors = sorted(error.errors(), key=lambda one: one["type"] != "unexpected_keyword_argument")
    if not errors[0]["loc"]:
        return ConfigInvalid(
            f"{table} must be a table. Received: {errors[0]['input']!r}.", hint=f"Write it as [{table}]."
        )
    key, prefix = errors[0]["loc"][0], f"{table}." if table else ""
    found = [one for one in errors if one["loc"][0] == key][
        -1
    ]  # of a union's errors, the last one names the widest type
    if found["type"] == "unexpected_keyword_argument":
        known = [item.name for item in fields(cls)]
        return ConfigInvalid(f"Unknown setting {prefix}{key}.", hint=_nearest(str(key), known, prefix))
    if found["type"] == "missing":
        return ConfigInvalid(f"No {key} given.", hint=f"Give --{key} or a configuration with a line `{key} = …`.")
    accepted = ACCEPTED.get(found["type"], "valid").format(**found.get("ctx", {}))
    return ConfigInvalid(f"{prefix}{key} must be {accepted}. Received: {repr(found['input'])[:200]}.")


def _nearest(value: str, known: Sequence[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(value, known, n=1)
    return f"Did you mean {prefix}{near[0]}?" if near else f"Known: {', '.join(known)}."
