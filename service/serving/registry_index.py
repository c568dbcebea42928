"""The registry index: the names, versions and aliases that the registry returned last."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

from models.names import CHAMPION, FAMILY, SEGMENT

FORMAT = 1
PAGE = 1000
"""Entities of MLflow in one answer."""

FOREIGN = "This is not an Almanac model"
"""How the error of a version begins that has no Almanac artifact; other teams may use the registry, too."""

RegistryState = Literal["ok", "emptied", "absent", "unreachable", "unwritable", "stale"]


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered version.

    Attributes:
        run_id: The MLflow run that made it.
        digest: The digest of its artifact in the cache, or None while it has not been fetched.
        error: Why it cannot be fetched, or "".
    """

    run_id: str | None = None
    digest: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """One registered name: its versions by number and its aliases by name.

    Attributes:
        versions: The versions, by number.
        aliases: The number of each alias.
        created: When the name was registered, in milliseconds since 1970; 0 if it is not known.
        family: The name that was trained, of a model of one segment; else "".
        segment: The segment.
    """

    versions: Mapping[str, ModelVersion] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    created: int = 0
    family: str = ""
    segment: str = ""

    @classmethod
    def of(cls, model: Any, versions: Mapping[str, ModelVersion]) -> Self:  # noqa: ANN401 (mlflow's entity)
        """Return a registered model of MLflow with its versions."""
        return cls(
            dict(sorted(versions.items(), key=lambda item: int(item[0]))),
            {alias: str(number) for alias, number in sorted(model.aliases.items())},
            int(model.creation_timestamp or 0),
            model.tags.get(FAMILY, ""),
            model.tags.get(SEGMENT, ""),
        )

    @property
    def champion(self) -> ModelVersion | None:
        """Return the version that the alias `champion` points to, or None."""
        return self.versions.get(self.aliases.get(CHAMPION, ""))

    def find(self, alias: str | None, version: str | None) -> str | None:
        """Return the number of the version with an alias, or of a version that is registered, else None."""
        return self.aliases.get(alias) if alias is not None else version if version in self.versions else None

    @property
    def is_foreign(self) -> bool:
        """Whether some versions were looked at, and none of them is an Almanac model."""
        errors = [one.error for one in self.versions.values() if one.error]
        is_known = any(one.digest is not None for one in self.versions.values())
        return bool(errors) and not is_known and all(error.startswith(FOREIGN) for error in errors)

    @property
    def refused(self) -> Mapping[str, str]:
        """The errors of versions that cannot be served, by number; none of a foreign model."""
        return {} if self.is_foreign else {number: one.error for number, one in self.versions.items() if one.error}

    @property
    def is_settled(self) -> bool:
        """Whether the champion is cached or cannot be used, or there is none."""
        champion = self.champion
        return champion is None or champion.digest is not None or champion.error != ""

    @property
    def champion_digest(self) -> str | None:
        """Return the digest of the champion's artifact, None if there is none in the cache."""
        return self.champion.digest if self.champion else None

    def has_champion(self) -> bool:
        """Return whether there is a champion that is an Almanac model."""
        return self.champion is not None and not self.champion.error


@dataclass(frozen=True, slots=True)
class RegistryIndex:
    """The content of the registry at the last poll.

    Attributes:
        models: The registered models, by name.
        state: `ok`, `emptied` (it had champions and has no model now), `absent` (there is no registry yet) or
            `unreachable` (`models` is then the last known content), `unwritable` (the cache never had an index, and none can
            be written), or `stale` (it was `ok`, but there has been no poll for a while).
        detail: What is wrong with the registry, or "".
        checked: ISO 8601 time of the last poll, "" before the first.
        gone: Names whose champion the registry has lost; the service keeps the last one until there is another.
        source: Identifies the registry, "" if it is not known.
    """

    models: Mapping[str, RegisteredModel] = field(default_factory=dict)
    state: RegistryState = "ok"
    detail: str = ""
    checked: str = ""
    gone: tuple[str, ...] = ()
    source: str = ""

    @property
    def is_current(self) -> bool:
        """Whether the registry answered the last poll: names that it does not have are unknown."""
        return self.checked != "" and self.state not in {"unreachable", "unwritable", "stale"}

    def to_dict(self) -> dict[str, Any]:
        """Return the index as plain data."""
        return {"format": FORMAT, **asdict(self), "gone": list(self.gone)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the index that `to_dict` wrote; raises KeyError or TypeError for anything else."""
        if data["format"] != FORMAT:
            raise KeyError(FORMAT)
        models = {
            name: RegisteredModel(
                {number: ModelVersion(**version) for number, version in model["versions"].items()},
                model["aliases"],
                model.get("created", 0),
                model.get("family", ""),
                model.get("segment", ""),
            )
            for name, model in data["models"].items()
        }
        return cls(
            models, data["state"], data["detail"], data["checked"], tuple(data.get("gone", ())), data.get("source", "")
        )


def keep_lost_champions(before: RegistryIndex, now: RegistryIndex) -> RegistryIndex:
    """Return the index `now` with the champions that the registry has lost since `before`.

    A registry that loses a model by accident does not take it out of service: only another champion replaces it, or
    another registry, because a changed address is intended. `gone` lists the kept names.
    """
    if before.source not in {"", now.source}:
        return now
    models, gone = dict(now.models), []
    for name, old in before.models.items():
        lost, model = old.champion, now.models.get(name, RegisteredModel())
        if model.champion is not None or lost is None or lost.digest is None:
            continue
        number = old.aliases[CHAMPION]
        models[name] = RegisteredModel(
            {**model.versions, number: lost},
            {**model.aliases, CHAMPION: number},
            model.created or old.created,
            model.family or old.family,
            model.segment or old.segment,
        )
        gone.append(name)
    if not gone:
        return now
    detail = f"The registry no longer has a champion of {', '.join(gone)}: the last known champion stays in service."
    return replace(now, models=models, state="ok" if now.models else "emptied", detail=detail, gone=tuple(gone))


def keep_known(before: RegistryIndex, now: RegistryIndex) -> RegistryIndex:
    """Return the index `now` with what a server knows from `before`, and a new registry process without a cache does not."""
    if before.models and not now.models and now.source == "" and now.state in {"absent", "unreachable"}:
        return replace(before, state="unreachable", detail=now.detail, checked=now.checked)
    return keep_lost_champions(before, now) if now.source and now.source == before.source else now


def pages(search: Any) -> Iterator[Any]:  # noqa: ANN401 (a paged search of mlflow, whose entities are untyped)
    """Yield every entity of a paged search."""
    token: str | None = ""
    while token is not None:
        yield from (page := search(max_results=PAGE, page_token=token or None))
        token = page.token or None


def keep_artifacts(model: RegisteredModel, before: RegisteredModel | None) -> RegisteredModel:
    """Return a registered model with the known digests and errors of the versions that have the same run as before."""
    known = before.versions if before else {}
    versions = {
        number: replace(version, digest=known[number].digest, error=known[number].error)
        if number in known and known[number].run_id == version.run_id
        else version
        for number, version in model.versions.items()
    }
    return replace(model, versions=versions)


def replace_version(index: RegistryIndex, name: str, number: str, version: ModelVersion) -> RegistryIndex:
    """Return the index with one version replaced."""
    model = index.models[name]
    changed = replace(model, versions={**model.versions, number: version})
    return replace(index, models={**index.models, name: changed})
