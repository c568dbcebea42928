"""Starter's card: one starter that was made, as a line for the terminal and as the page that lies beside its network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.calendar.on_calendar import parse_frequency
from training.pretraining.starter_specs import KINDS

CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Made:
    """One starter that was made.

    Attributes:
        kind: Its name.
        directory: Its artifact.
        made_by: The command line that makes it again.
        commit: Of the code that made it, None outside a repository.
        figures: `mase`, `mase_seasonal_naive`, `coverage_80` on held-out synthetic windows, `train_seconds`,
            `megabytes`, `steps`.
    """

    kind: str
    directory: Path
    made_by: str
    commit: str | None
    figures: Mapping[str, float]


def describe(made: Made) -> str:
    """Return one starter in one line."""
    told = made.figures
    return (
        f"{made.kind}: {made.directory}, {told['megabytes']:.2f} MB; on synthetic series MASE {told['mase']:.3f}, "
        f"seasonal naive {told['mase_seasonal_naive']:.3f}, in 80 % {told['coverage_80']:.3f}; "
        f"{told['train_seconds']:.0f} s"
    )


def card(made: Made) -> str:
    """Return the card of a starter: what it is, what made it, how it did where it could be measured without data."""
    kind, told = KINDS[made.kind], made.figures
    seasons = ", ".join(str(one) for one in parse_frequency(made.kind).seasons)
    return f"""# Starter {made.kind}

An LSTM trained on synthetic series alone, seasons of {seasons} steps; it forecasts {kind.horizon} steps from at most
{kind.context_length}, of which its recurrent layers read the newest {kind.encoder_length}.

| | |
|---|---|
| made by | `{made.made_by}` |
| at commit | {made.commit or "unknown"} |
| optimizer steps | {told["steps"]:.0f} |
| seconds | {told["train_seconds"]:.0f} |
| MASE on held-out synthetic windows | {told["mase"]:.3f} (seasonal naive {told["mase_seasonal_naive"]:.3f}) |
| in its 80 % intervals there | {told["coverage_80"]:.3f} |

How it does on real series, and where it is weak: docs/starter.md.
"""
