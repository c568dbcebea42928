"""The registry index: the names, versions and aliases that the registry returned last."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

FORMAT = 1


RegistryState = Literal["ok", "emptied", "absent", "unreachable"]


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered version.

    Attributes:
        run_id: The MLflow run that made it.
        digest: Where its artifact lies in the cache, or None while it has not been fetched.
        error: Why it cannot be fetched, "" where nothing is wrong.
    """

    run_id: str | None = None
    digest: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """One registered name: its versions by number and its aliases by name."""

    versions: Mapping[str, ModelVersion] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegistryIndex:
    """What the registry said last.

    Attributes:
        models: By registered name.
        state: `ok`, `emptied` (it had champions and has no model any more), `absent` (there is no registry yet) or
            `unreachable`; the models are then as last seen.
        detail: What is wrong with the registry, "" where nothing is.
        checked: ISO 8601 time at which the registry was last asked, "" before the first time.
        gone: Names that the registry has no champion of any more; they keep the one they had until there is another.
        source: Which registry said it, "" where nobody knows.
    """

    models: Mapping[str, RegisteredModel] = field(default_factory=dict)
    state: RegistryState = "ok"
    detail: str = ""
    checked: str = ""
    gone: tuple[str, ...] = ()
    source: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the index as plain data."""
        return {
            "format": FORMAT,
            "state": self.state,
            "detail": self.detail,
            "checked": self.checked,
            "gone": list(self.gone),
            "source": self.source,
            "models": {
                name: {
                    "aliases": dict(model.aliases),
                    "versions": {
                        number: {"run_id": version.run_id, "digest": version.digest, "error": version.error}
                        for number, version in model.versions.items()
                    },
                }
                for name, model in self.models.items()
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the index that `to_dict` wrote; raises KeyError or TypeError if it did not."""
        if data["format"] != FORMAT:
            raise KeyError(FORMAT)
        models = {
            name: RegisteredModel(
                {number: ModelVersion(**version) for number, version in model["versions"].items()}, model["aliases"]
            )
            for name, model in data["models"].items()
        }
        return cls(
            models, data["state"], data["detail"], data["checked"], tuple(data.get("gone", ())), data.get("source", "")
        )


def keep_lost_champions(before: RegistryIndex, now: RegistryIndex, alias: str = "champion") -> RegistryIndex:
    """Return what the registry says now, with the champions it had before and has lost: deleted, or its file emptied.

    A registry that loses a model by accident must not take it out of service; another champion does, and so does
    another registry: whoever sets its address means it. `gone` names the kept ones.
    """
    if before.source not in {"", now.source}:
        return now
    models, gone = dict(now.models), []
    for name, old in before.models.items():
        number = old.aliases.get(alias, "")
        lost, model = old.versions.get(number), now.models.get(name, RegisteredModel())
        if model.aliases.get(alias) in model.versions or lost is None or lost.digest is None:
            continue
        models[name] = RegisteredModel({**model.versions, number: lost}, {**model.aliases, alias: number})
        gone.append(name)
    if not gone:
        return now
    detail = f"The registry has no champion any more of {', '.join(gone)}: the one it had goes on answering."
    return replace(now, models=models, state="ok" if now.models else "emptied", detail=detail, gone=tuple(gone))


def replace_version(index: RegistryIndex, name: str, number: str, version: ModelVersion) -> RegistryIndex:
    """Return the index with one version replaced."""
    model = index.models[name]
    changed = replace(model, versions={**model.versions, number: version})
    return replace(index, models={**index.models, name: changed})
