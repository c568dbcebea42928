"""Moving: the champion alias moved outside a training, by a person or by the watch, and how that is written down."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from training.registry.client import Registry

FILES = {"promote": "promoted.json", "rollback": "rollback.json"}
"""By action, the file in the run of the version that it is about; a training's own `decision.json` stays as it is."""


@dataclass(frozen=True, slots=True)
class Move:
    """The champion alias, moved.

    Attributes:
        action: `promote`, or `rollback` to the version that was champion before.
        name: Registered name.
        champion: The version that has the alias now.
        before: The version that had it; None where none had.
        at: When.
        by: Who moved it.
        reason: One sentence for a person.
        figures: What it was decided by, where a person's word was not enough.
    """

    action: Literal["promote", "rollback"]
    name: str
    champion: str
    before: str | None
    at: datetime
    by: Literal["hand", "watch"] = "hand"
    reason: str = "Moved by hand."
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the move as plain data."""
        return {**asdict(self), "at": self.at.isoformat(timespec="seconds")}


def log_move(registry: "Registry", move: Move) -> str | None:
    """Write a move on the run of the version that was made champion, or that was taken back, and return the run's id.

    Returns:
        None where that version has no run.

    Raises:
        RegistryError: If MLflow does not answer.
    """
    subject = move.champion if move.action == "promote" else move.before
    run_id = next((one.run_id for one in registry.models.versions(move.name) if one.version == subject), "")
    if not run_id:
        return None
    registry.log_json(run_id, move.to_dict(), FILES[move.action])
    registry.log(run_id, tags=_tags(move))
    return run_id


def _tags(move: Move) -> dict[str, object]:
    if move.action == "rollback":
        return {"promoted": False, "rolled_back": move.to_dict()["at"], "rollback.reason": move.reason}
    return {"promoted": True, "promotion.forced": True, "promotion.reason": move.reason}
