"""Resumable: how much of a command is done, in a small file, so that the command resumes after an interruption."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

MOST_ERRORS = 1_000
"""Errors that are kept."""


@dataclass(slots=True)
class Resumable:
    """What of a command is done.

    Attributes:
        path: The file.
        request: A digest of what was asked: another request begins anew.
        done: Parts that are done.
        facts: What is known of them.
    """

    path: Path
    request: str
    done: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, content: bytes, options: Mapping[str, Any]) -> Self:
        """Return what is done of a command with this input and these options: nothing, unless the file says so."""
        asked = json.dumps(options, sort_keys=True, default=str).encode()
        request = hashlib.sha256(hashlib.sha256(content).digest() + asked).hexdigest()
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["request"] == request:
                return cls(path, request, int(found["done"]), dict(found["facts"]))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return cls(path, request)

    def keep(self, done: int, facts: Mapping[str, Any]) -> None:
        """Write what is done; a folder that cannot be written to has no such file, and the command begins anew."""
        self.done, self.facts = done, dict(facts)
        draft = self.path.with_name(f"{self.path.name}.new")
        kept = {"request": self.request, "done": self.done, "facts": self.facts}
        try:
            draft.write_text(json.dumps(kept), encoding="utf-8")
            os.replace(draft, self.path)  # noqa: PTH105 - both are in one folder
        except OSError:
            draft.unlink(missing_ok=True)

    def end(self) -> None:
        """Delete the file: nothing is left to do."""
        self.path.unlink(missing_ok=True)
