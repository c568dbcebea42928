"""Champion: which aliases and tags a promotion or a rollback moves; the MLflow client comes in from outside."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from models.errors import PreviousMissing
from models.names import CHAMPION, PREVIOUS

BY_HAND = "Moved by hand."
FILES = {"promote": "promoted.json", "rollback": "rollback.json"}
"""By action, the file in the version's run; `decision.json` of a training stays unchanged."""
LONGEST_TAG = 5000

Record = Callable[[str, str], None]
"""Is called with each alias that was set, and its version."""


class RegistryClient(Protocol):
    """What is used of MLflow's client, whose entities are untyped."""

    def get_registered_model(self, name: str) -> Any:  # noqa: ANN401
        """Return a registered model with its aliases."""

    def get_model_version(self, name: str, version: str) -> Any:  # noqa: ANN401
        """Return a version; raise MlflowException if there is none."""

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> object:
        """Point an alias to a version."""

    def log_dict(self, run_id: str, dictionary: dict[str, Any], artifact_file: str) -> object:
        """Write a JSON file into a run."""

    def set_tag(self, run_id: str, key: str, value: Any) -> object:  # noqa: ANN401
        """Set a tag of a run."""


@dataclass(frozen=True, slots=True)
class AliasChange:
    """A change of the champion alias outside a training, by a person or by the watch.

    Attributes:
        action: `promote`, or `rollback` to the previous champion.
        name: Registered name.
        champion: The version that has the alias now.
        before: The version that had it, or None.
        at: Time of the change.
        by: Who made it.
        reason: One sentence.
        figures: The evidence for it, if there is any.
    """

    action: Literal["promote", "rollback"]
    name: str
    champion: str
    before: str | None
    at: datetime
    by: Literal["hand", "watch"] = "hand"
    reason: str = BY_HAND
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the change as plain data."""
        return {**asdict(self), "at": self.at.isoformat(timespec="seconds")}

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the version's run."""
        if self.action == "rollback":
            return {"promoted": "False", "rolled_back": self.to_dict()["at"], "rollback.reason": self.reason}
        return {"promoted": "True", "promotion.forced": "True", "promotion.reason": self.reason}


def promote(client: RegistryClient, name: str, version: str, record: Record) -> str | None:
    """Make a version the champion and the old champion `previous`; return the old champion's number, or None.

    Nothing changes if the version is the champion already. An unknown name or version raises what the client raises.
    """
    client.get_model_version(name, version)
    old = champion_of(client, name)[0]
    if old == version:
        return old
    if old is not None:
        _set_alias(client, name, PREVIOUS, old, record)
    _set_alias(client, name, CHAMPION, version, record)
    return old


def rollback(client: RegistryClient, name: str, record: Record) -> tuple[str, str]:
    """Swap champion and previous; return the numbers of the new and of the old champion.

    Raises:
        PreviousMissing: If there is no previous version.
    """
    champion, previous = champion_of(client, name)
    if champion is None or previous is None:
        raise PreviousMissing(
            f"{name} has no previous champion.", hint=f"Promote a version: almanac promote {name} VERSION."
        )
    _set_alias(client, name, CHAMPION, previous, record)
    _set_alias(client, name, PREVIOUS, champion, record)
    return previous, champion


def champion_of(client: RegistryClient, name: str) -> tuple[str | None, str | None]:
    """Return the numbers of the champion and of the previous champion of a name, None for an alias that is not set."""
    aliases = client.get_registered_model(name).aliases
    champion, previous = (str(aliases[alias]) if alias in aliases else None for alias in (CHAMPION, PREVIOUS))
    return champion, previous


def log_change(client: RegistryClient, change: AliasChange) -> str | None:
    """Log a change in the run of the version that was promoted or rolled back, and return the run's id.

    Returns:
        None if that version has no run.
    """
    version = change.champion if change.action == "promote" else change.before
    run_id: str = (client.get_model_version(change.name, version).run_id or "") if version is not None else ""
    if not run_id:
        return None
    client.log_dict(run_id, change.to_dict(), FILES[change.action])
    for key, text in change.tags.items():
        client.set_tag(run_id, key, text[:LONGEST_TAG])
    return run_id


def _set_alias(client: RegistryClient, name: str, alias: str, version: str, record: Record) -> None:
    client.set_registered_model_alias(name, alias, version)
    record(alias, version)
