"""Progress: what a training reports while it runs, on standard error, so that results stay alone on standard output."""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from models.errors import Finding
from models.json_values import finite_or_none
from training.fit.candidate import Candidate, EpochRecord
from training.fit.ensemble_weights import EnsembleWeights

PLAIN_WIDTH = 160
"""Columns if there is no terminal that has a width."""

SILENT_SERIES = 50
"""Up to so many series a file gets no lines of progress."""

STANDARD_ERROR = 2
"""Its file descriptor."""


def plain_console(*, stderr: bool) -> Console:
    """Return a console that does not squeeze tables where output is a file or a pipe."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a training, as one line for each candidate that a terminal rewrites and a file collects.

    Attributes:
        console: Where lines are printed.
        on_event: Called with every line as data too: `text`, and of an epoch its figures beside it.
    """

    console: Console = field(default_factory=lambda: plain_console(stderr=True))
    on_event: Callable[[dict[str, Any]], None] | None = None

    def report(self, text: str, style: str = "") -> None:
        """Print one line."""
        self.console.print(Text(text, style=style), soft_wrap=True)
        if self.on_event is not None:
            self.on_event({"text": text})

    def report_findings(self, findings: Sequence[Finding]) -> None:
        """Print what was noticed about the data."""
        for finding in findings:
            self.report(f"  {finding.code}: {finding.detail} {finding.hint}".rstrip(), "yellow")

    def report_choice(self, name: str, candidate: Candidate) -> None:
        """Print what was chosen on the validation origins: the weights of members, or how a network was fitted."""
        if candidate.ensemble_weights is not None:
            self.report(describe_weights(name, candidate, candidate.ensemble_weights))
        elif candidate.forecaster.spec.options.steps is not None:
            self.report(describe_fit(name, candidate))

    @contextmanager
    def training(self, name: str) -> Iterator[Callable[[EpochRecord], None]]:
        """Yield what to call after every epoch of one candidate."""
        if self.on_event is not None:
            yield partial(self._report_epoch, name, self.on_event)
            return
        if not self.console.is_terminal:
            yield lambda record: self.report(describe_epoch(name, record))
            return
        with Live(Text(f"{name}: preparing"), console=self.console, refresh_per_second=4) as live:
            yield lambda record: live.update(Text(describe_epoch(name, record)))

    def _report_epoch(self, name: str, on_event: Callable[[dict[str, Any]], None], record: EpochRecord) -> None:
        """Print one epoch, and pass it on as data."""
        text = describe_epoch(name, record)
        self.console.print(Text(text), soft_wrap=True)
        figures = {"loss": record.loss, "validation_mase": record.validation_mase, "seconds": record.seconds}
        known = {key: finite_or_none(value) for key, value in figures.items()}
        on_event({"text": text, "candidate": name, "epoch": record.epoch, "step": record.step, **known})

    @contextmanager
    def counting(self, name: str, total: int, of: str = "series") -> Iterator[Callable[[int], None]]:
        """Yield what to call with the number of series done, or of something else; a file gets a line for each tenth of them."""
        text = f"{name}: {{}} of {total} {of}".format
        if not self.console.is_terminal:
            tenth = max(1, -(-total // 10))
            yield lambda done: self.report(text(done)) if done % tenth == 0 and total > SILENT_SERIES else None
            return
        began, shown = time.monotonic(), [0]
        with Live(
            get_renderable=lambda: Text(f"{text(shown[0])}, {time.monotonic() - began:.0f} s"),
            console=self.console,
            refresh_per_second=4,
            transient=True,
        ):
            yield partial(shown.__setitem__, 0)


@contextmanager
def native_noise_hidden() -> Iterator[None]:
    """Hide what C++ libraries write to standard error while they load; TensorFlow has no setting for all of it."""
    kept = os.dup(STANDARD_ERROR)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), STANDARD_ERROR)
        yield
    finally:
        os.dup2(kept, STANDARD_ERROR)
        os.close(kept)


def describe_epoch(name: str, record: EpochRecord) -> str:
    """Return one epoch as one line."""
    known = math.isfinite(record.validation_mase)
    error = f"validation MASE {record.validation_mase:.4f}" if known else f"{'nothing held out':<22}"
    stage = f"  ({record.stage})" if record.stage else ""
    return (
        f"{name:<14} epoch {record.epoch:>3}  step {record.step:>5}  loss {record.loss:.4f}  "
        f"{error}  {record.seconds:6.1f} s{stage}"
    )


def describe_weights(name: str, ensemble: Candidate, weights: EnsembleWeights) -> str:
    """Return the weights of an ensemble in one line, with the spread of its members and the losses of the rules.

    Of the averages that an `auto` tried, the line has the chosen one only; JSON and MLflow have all.
    """
    shares = ", ".join(f"{member} {weight:.2f}" for member, weight in weights.weights.items())
    rule = weights.combination.replace("_", " ")
    several = len(weights.weights) > 1
    spread = f"; its members' medians deviate by {ensemble.validation['spread']:.3f} of the scale" if several else ""
    chosen = "+".join(weights.weights)
    losses = ", ".join(f"{key} {loss:.4f}" for key, loss in weights.losses.items() if "+" not in key or key == chosen)
    return f"{name}: {rule} weights ({shares}){spread}; validation losses: {losses}"


def describe_fit(name: str, candidate: Candidate) -> str:
    """Return what the validation origins chose for a network, in one line."""
    spec = candidate.forecaster.spec
    share, tuned = spec.options.synthetic_share, spec.options.tuned_share
    chosen = [
        f"{spec.options.steps} steps on {'logarithms' if spec.transform == 'log' else 'plain values'}",
        *(["without the calendar"] if spec.options.calendar is False else []),
        *([f"{share:.0%} of the windows synthetic"] if share else []),
        *([f"{tuned:.0%} of the tuned weights"] if tuned is not None else []),
    ]
    return f"{name}: {', '.join(chosen)}; validation MASE {candidate.validation['mase']:.4f}"
