"""FakeRegistry: an MLflow client of one model whose versions are 1 to 9."""

from types import SimpleNamespace
from typing import Any


class Unknown(Exception):
    """What MLflow raises, with its code."""

    error_code = "RESOURCE_DOES_NOT_EXIST"


class FakeRegistry:
    """A fake of what moves the champion of the model `rain`."""

    def __init__(self, aliases: dict[str, str]) -> None:
        """Begin with these aliases."""
        self.aliases = dict(aliases)
        self.logged: dict[tuple[str, str], dict[str, Any]] = {}
        self.tags: dict[str, str] = {}

    def get_registered_model(self, name: str) -> SimpleNamespace:
        """Return the model."""
        if name != "rain":
            raise Unknown(f"Registered Model with name={name} not found")
        return SimpleNamespace(aliases=dict(self.aliases))

    def get_model_version(self, name: str, version: str) -> SimpleNamespace:
        """Return a version with its run."""
        if version not in set("123456789"):
            raise Unknown(f"Model Version (name={name}, version={version}) not found")
        return SimpleNamespace(run_id=f"run-{version}")

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias."""
        del name
        self.aliases[alias] = version

    def log_dict(self, run_id: str, dictionary: dict[str, Any], artifact_file: str) -> None:
        """Keep a file."""
        self.logged[run_id, artifact_file] = dictionary

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        """Keep a tag."""
        del run_id
        self.tags[key] = value
