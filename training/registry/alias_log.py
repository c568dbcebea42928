"""Records of changes of the champion alias outside a training, by a person or by the watch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from training.registry.client import Registry

BY_HAND = "Moved by hand."
FILES = {"promote": "promoted.json", "rollback": "rollback.json"}
"""By action, the file in the version's run; `decision.json` of a training stays unchanged."""


@dataclass(frozen=True, slots=True)
class AliasChange:
    """A change of the champion alias.

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


def log_alias_change(registry: "Registry", change: AliasChange) -> str | None:
    """Log a change in the run of the version that was promoted or rolled back, and return the run's id.

    Returns:
        None if that version has no run.

    Raises:
        RegistryError: If MLflow does not respond.
    """
    version = change.champion if change.action == "promote" else change.before
    run_id = next((one.run_id for one in registry.models.versions(change.name) if one.version == version), "")
    if not run_id:
        return None
    registry.log_json(run_id, change.to_dict(), FILES[change.action])
    registry.log(run_id, tags=_tags(change))
    return run_id


def _tags(change: AliasChange) -> dict[str, object]:
    if change.action == "rollback":
        return {"promoted": False, "rolled_back": change.to_dict()["at"], "rollback.reason": change.reason}
    return {"promoted": True, "promotion.forced": True, "promotion.reason": change.reason}
