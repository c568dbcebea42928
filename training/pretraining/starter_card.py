"""Starter card: a pretrained starter as one line of progress and as the README beside its network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.calendar.on_calendar import parse_frequency
from training.pretraining.starter_specs import STARTER_SPECS

CARD = "README.md"


@dataclass(frozen=True, slots=True)
class PretrainedStarter:
    """One pretrained starter: its artifact, how it was made, and its figures on held-out synthetic windows."""

    kind: str
    directory: Path
    made_by: str
    commit: str | None
    figures: Mapping[str, float]


def describe(starter: PretrainedStarter) -> str:
    """Return one starter in one line."""
    figures = starter.figures
    return (
        f"{starter.kind}: {starter.directory}, {figures['megabytes']:.2f} MB; on synthetic series MASE {figures['mase']:.3f}, "
        f"seasonal naive {figures['mase_seasonal_naive']:.3f}, in 80 % {figures['coverage_80']:.3f}; "
        f"{figures['train_seconds']:.0f} s"
    )


def card(starter: PretrainedStarter) -> str:
    """Return the card of a starter: what it is, how it was made, and its accuracy on synthetic windows."""
    spec, figures = STARTER_SPECS[starter.kind], starter.figures
    seasons = ", ".join(str(one) for one in parse_frequency(starter.kind).seasons)
    return f"""# Starter {starter.kind}

An LSTM trained on synthetic series alone, seasons of {seasons} steps; it forecasts {spec.horizon} steps from at most
{spec.context_length}, of which its recurrent layers read the newest {spec.encoder_length}.

| | |
|---|---|
| made by | `{starter.made_by}` |
| at commit | {starter.commit or "unknown"} |
| optimizer steps | {figures["steps"]:.0f} |
| seconds | {figures["train_seconds"]:.0f} |
| MASE on held-out synthetic windows | {figures["mase"]:.3f} (seasonal naive {figures["mase_seasonal_naive"]:.3f}) |
| in its 80 % intervals there | {figures["coverage_80"]:.3f} |
| quantiles widened after that by | {spec.widening:g} |

How it does on real series, and where it is weak: docs/starter.md.
"""
