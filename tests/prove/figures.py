"""Figures: writes the measurements of a proof into docs/proofs.md or another page."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "proofs.md"


def record(
    title: str, claim: str, figures: Mapping[str, object], page: Path = PAGE, columns: Sequence[str] = ("",)
) -> None:
    """Write a section into the page, or replace the one with its title; with several columns each figure is a tuple."""
    now = datetime.now(UTC).strftime("%Y-%m-%d")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    cells = {name: value if isinstance(value, tuple) else (value,) for name, value in figures.items()}
    rows = "\n".join(f"| {name} | {' | '.join(str(one) for one in row)} |" for name, row in cells.items())
    head = f"| measured {now}, {machine} | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}"
    section = f"## {title}\n\n{claim}\n\n{head}\n{rows}\n"
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"## {re.escape(title)}\n.*?(?=\n## |\Z)", re.DOTALL)
    found = pattern.search(text)
    text = f"{text[: found.start()]}{section}{text[found.end() :]}" if found else f"{text.rstrip()}\n\n{section}"
    page.write_text(text, encoding="utf-8")
