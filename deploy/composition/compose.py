"""docker-compose.yml as containers: interpolated, and validated against the Compose specification."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from deploy.composition.images import Image, image_of

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<text>[^}]*))?\}")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class CompositionInvalid(Exception):
    """docker-compose.yml is wrong, or a variable that it needs is not set."""


@dataclass(frozen=True, slots=True)
class Health:
    """A health check: its command, and how long a container may take to become healthy."""

    command: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the repository, or a named volume, at a path in the container."""

    source: str
    target: str
    read_only: bool

    @property
    def is_volume(self) -> bool:
        """Return whether it is a named volume."""
        return not self.source.startswith(".")


@dataclass(frozen=True, slots=True)
class Container:
    """One container, with what its image adds.

    Attributes:
        name: `service-2` for the second replica of `service`.
        service: Its service in docker-compose.yml.
        needs: Condition of each service that must be there before it starts.
        tmpfs: Paths of file systems in memory.
        secrets: Content of each file in /run/secrets.
        user: User and group ids.
        grace: Seconds between the stop signal and SIGKILL.
    """

    name: str
    service: str
    image: Image
    command: tuple[str, ...]
    environment: dict[str, str]
    health: Health | None
    mounts: tuple[Mount, ...]
    tmpfs: tuple[str, ...]
    secrets: dict[str, str]
    user: tuple[int, int]
    read_only: bool
    needs: dict[str, str]
    stop_signal: str
    grace: float


def load(environment: Mapping[str, str], path: Path = COMPOSE_FILE) -> dict[str, Any]:
    """Return docker-compose.yml with the variables of an environment.

    Raises:
        CompositionInvalid: If it does not follow the specification, or a required variable is missing or empty.
    """
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        jsonschema.Draft202012Validator(compose_schema()).validate(written)
    except jsonschema.ValidationError as error:
        raise CompositionInvalid(f"{path.name}: {error.json_path}: {error.message}") from error
    filled = _fill(written, environment)
    for name, secret in filled.get("secrets", {}).items():
        if not environment.get(secret["environment"]):
            raise CompositionInvalid(f"The secret {name} needs {secret['environment']}: set it in .env")
    return dict(filled)


def required_variables(path: Path = COMPOSE_FILE) -> list[str]:
    """Return the names of the variables without which a composition does not start."""
    written = path.read_text(encoding="utf-8")
    return sorted({match["name"] for match in VARIABLE.finditer(written) if match["kind"] == ":?"})


def compose_schema() -> dict[str, Any]:
    """Return the Compose specification's JSON schema, from check-jsonschema."""
    text = (files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def containers(composition: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Container]:
    """Return the containers of a composition by name, replicas as `NAME-1`, `NAME-2`."""
    found: dict[str, Container] = {}
    secrets = {name: environment[one["environment"]] for name, one in composition.get("secrets", {}).items()}
    for service, entry in composition["services"].items():
        replicas = int(entry.get("deploy", {}).get("replicas", 1))
        for number in range(1, replicas + 1):
            name = f"{service}-{number}" if replicas > 1 else service
            found[name] = _container(name, service, entry, secrets)
    return found


def seconds(text: str) -> float:
    """Return a duration of the specification, such as `1m30s`, in seconds."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|[smh])", text))


def _container(name: str, service: str, entry: dict[str, Any], secrets: Mapping[str, str]) -> Container:
    image = image_of(entry["image"], entry.get("build", {}).get("dockerfile"))
    entrypoint = tuple(entry.get("entrypoint", image.entrypoint))
    command = tuple(entry["command"]) if "command" in entry else () if "entrypoint" in entry else image.command
    user, group = (entry.get("user") or image.user).split(":")
    return Container(
        name=name,
        service=service,
        image=image,
        command=(*image.prelude, *entrypoint, *command),
        environment={**image.environment, **{key: str(value) for key, value in entry.get("environment", {}).items()}},
        health=_health(entry.get("healthcheck", {"disable": True})),
        mounts=tuple(_mount(text) for text in entry.get("volumes", [])),
        tmpfs=tuple(text.split(":")[0] for text in entry.get("tmpfs", [])),
        secrets={one: secrets[one] for one in entry.get("secrets", [])},
        user=(int(user), int(group)),
        read_only=bool(entry.get("read_only", False)),
        needs={needed: one["condition"] for needed, one in entry.get("depends_on", {}).items()},
        stop_signal=entry.get("stop_signal", "SIGTERM"),
        grace=seconds(entry.get("stop_grace_period", "10s")),
    )


def _health(entry: dict[str, Any]) -> Health | None:
    if entry.get("disable"):
        return None
    kind, *words = entry["test"]
    command = tuple(words) if kind == "CMD" else ("/bin/sh", "-c", *words)
    allowed = seconds(entry.get("start_period", "0s")) + entry["retries"] * seconds(entry["interval"])
    return Health(command, allowed)


def _mount(text: str) -> Mount:
    source, target, *mode = text.split(":")
    return Mount(source, target, read_only=mode == ["ro"])


def _fill(value: Any, environment: Mapping[str, str]) -> Any:  # noqa: ANN401 (any YAML)
    """Return a value with `${NAME}`, `${NAME:-default}` and `${NAME:?error}` replaced."""
    if isinstance(value, dict):
        return {key: _fill(one, environment) for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, environment) for one in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        found = environment.get(match["name"], "")
        if match["kind"] == ":?" and not found:
            raise CompositionInvalid(f"{match['name']} is not set: {match['text']}")
        return found or (match["text"] if match["kind"] == ":-" else "")

    return VARIABLE.sub(variable, value)
