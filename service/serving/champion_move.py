"""Champion move: a promotion or a rollback that the server asks its registry process for, and what comes back."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

from models.audit import log
from models.errors import HomeMoved, PreviousMissing, RegistryError, RegistryUnreachable
from models.registry import champion
from models.registry.champion import AliasChange, RegistryClient
from service.errors import ChampionChanged, ModelNotFound
from service.processes.answers import ANSWER_SECONDS, Ask
from service.serving.registry_errors import describe, registry_error

logger = logging.getLogger("almanac.registry")

START_SECONDS = 0.7 * ANSWER_SECONDS
"""A move that has not begun for so long is dropped: its request is answered as failed, and must not happen afterwards."""

ERRORS: Mapping[str, type[RegistryError]] = {
    "ModelUnknown": ModelNotFound,
    "PreviousMissing": PreviousMissing,
    "ChampionChanged": ChampionChanged,
    "HomeMoved": HomeMoved,
    "RegistryUnreachable": RegistryUnreachable,
}
"""What the server raises, by the class that the registry process has met; RegistryError for any other."""


@dataclass(frozen=True, slots=True)
class ChampionMove:
    """A request to move the champion.

    Attributes:
        action: `promote`, or `rollback` to the previous champion.
        name: Registered name.
        version: What is promoted; or the champion to take back, None for any.
        reason: One sentence.
        actor: Who asks, for the audit log.
        until: Reading of `time.monotonic` after which it does not begin; all processes of a machine have the same clock.
    """

    action: Literal["promote", "rollback"]
    name: str
    version: str | None
    reason: str
    actor: str
    until: float = field(default_factory=lambda: time.monotonic() + START_SECONDS)

    def to_dict(self) -> dict[str, Any]:
        """Return the request as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the request that `to_dict` wrote."""
        return cls(**data)

    def carry_out(self, client: RegistryClient, home: Path) -> dict[str, Any]:
        """Move the champion in the registry, unless it is where it should be; return the answer to the server.

        Args:
            client: Of the registry.
            home: ALMANAC_HOME, which has the audit log.

        Raises:
            PreviousMissing, ChampionChanged: If the rule refuses it; and whatever the client raises.
        """
        before = champion.champion_of(client, self.name)
        record = partial(self._record, home)
        if self.action == "promote":
            old = champion.promote(client, self.name, str(self.version), record)
            changed = old != self.version
        elif changed := self._is_to_roll_back(*before):
            champion.rollback(client, self.name, record)
        after = champion.champion_of(client, self.name)
        if changed:
            self._log(client, AliasChange(self.action, self.name, str(after[0]), before[0], _now(), reason=self.reason))
        return {"name": self.name, "champion": after[0], "previous": after[1], "changed": changed}

    def _is_to_roll_back(self, now: str | None, previous: str | None) -> bool:
        """Return whether the champion is the one to take back, or any; False if it was taken back before."""
        if self.version in {None, now} or previous is None:
            return True
        if self.version == previous:
            return False
        raise ChampionChanged(
            f"The champion of {self.name} is version {now}, not {self.version}.",
            hint="GET /models shows the champions.",
        )

    def _record(self, home: Path, alias: str, version: str) -> None:
        details = {"model": self.name, "alias": alias, "version": version, "reason": self.reason}
        try:
            end = log.record(home, self.actor, "alias.set", **details)
            logger.info("audit log: alias.set", extra={"fields": {**details, "line": end.lines, "hash": end.hash}})
        except OSError as error:  # the alias has moved already
            logger.error("the audit log cannot be written (%s): %s", error, details)  # noqa: TRY400 (no traceback)

    def _log(self, client: RegistryClient, change: AliasChange) -> None:
        try:
            champion.log_change(client, change)
        except Exception as error:  # noqa: BLE001 (mlflow raises any type, and the champion has moved already)
            logger.warning("%s of %s not logged in its run: %s", self.action, self.name, describe(error))


def failure(error: Exception) -> dict[str, str]:
    """Return an exception as the answer to the server."""
    found = registry_error(error)
    return {"error": type(found).__name__, "detail": found.detail, "hint": found.hint}


async def move_champion(ask: Ask, move: ChampionMove) -> dict[str, Any]:
    """Return what the registry process has done.

    Raises:
        ModelNotFound: If there is no such name or version.
        PreviousMissing, ChampionChanged: If there is nothing to roll back.
        HomeMoved: If ALMANAC_HOME was moved or copied.
        RegistryUnreachable: If the registry or its process does not answer in time.
        RegistryError: If the registry refuses.
    """
    answer = await ask({"move": move.to_dict()})
    if answer is None:
        raise RegistryUnreachable(
            f"The registry process does not answer (within {ANSWER_SECONDS:.0f} seconds).",
            hint="GET /models shows whether the champion has moved; try again if not.",
        )
    if "error" in answer:
        raise ERRORS.get(answer["error"], RegistryError)(answer["detail"], hint=answer["hint"])
    return dict(answer)


def _now() -> datetime:
    return datetime.now(UTC)
