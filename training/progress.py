"""Terminal: what a training tells the person who watches it; on standard error, so that results stay alone on output."""

import math
import os
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
from training.fit.ensemble_weights import Mixture

PLAIN_WIDTH = 160
"""Columns where nobody's terminal says how many there are."""


SILENT_SERIES = 50
"""Up to so many series a file gets no lines of progress."""

STANDARD_ERROR = 2
"""Its file descriptor."""


def plain_console(*, stderr: bool) -> Console:
    """Return a console that does not squeeze tables where output is a file or a pipe."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


@dataclass(frozen=True, slots=True)
class Terminal:
    """The progress of a training, as one line for each candidate that a terminal rewrites and a file collects.

    Attributes:
        console: Where lines are printed.
        tell: What is handed every line as data too: `text`, and of an epoch its figures beside it.
    """

    console: Console = field(default_factory=lambda: plain_console(stderr=True))
    tell: Callable[[dict[str, Any]], None] | None = None

    def say(self, text: str, style: str = "") -> None:
        """Print one line."""
        self.console.print(Text(text, style=style), soft_wrap=True)
        if self.tell is not None:
            self.tell({"text": text})

    def say_findings(self, findings: Sequence[Finding]) -> None:
        """Print what was noticed about the data."""
        for finding in findings:
            self.say(f"  {finding.code}: {finding.detail} {finding.hint}".rstrip(), "yellow")

    def say_choice(self, name: str, candidate: Candidate) -> None:
        """Print what was chosen on the validation origins: how members are averaged, or how a network was fitted."""
        if candidate.mixture is not None:
            self.say(describe_mixture(name, candidate, candidate.mixture))
        elif candidate.forecaster.spec.options.steps is not None:
            self.say(describe_fit(name, candidate))

    @contextmanager
    def training(self, name: str) -> Iterator[Callable[[EpochRecord], None]]:
        """Yield what to call after every epoch of one candidate."""
        if self.tell is not None:
            yield partial(self._tell_epoch, name, self.tell)
            return
        if not self.console.is_terminal:
            yield lambda record: self.say(describe_epoch(name, record))
            return
        with Live(Text(f"{name}: preparing"), console=self.console, refresh_per_second=4) as live:
            yield lambda record: live.update(Text(describe_epoch(name, record)))

    def _tell_epoch(self, name: str, tell: Callable[[dict[str, Any]], None], record: EpochRecord) -> None:
        """Print one epoch, and hand it over as data."""
        text = describe_epoch(name, record)
        self.console.print(Text(text), soft_wrap=True)
        figures = {"loss": record.loss, "validation_mase": record.validation_mase, "seconds": record.seconds}
        known = {key: finite_or_none(value) for key, value in figures.items()}
        tell({"text": text, "candidate": name, "epoch": record.epoch, "step": record.step, **known})

    @contextmanager
    def counting(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Yield what to call with the number of series done; a file gets a line for each tenth of them."""
        text = f"{name}: {{}} of {total} series".format
        if not self.console.is_terminal:
            tenth = max(1, -(-total // 10))
            yield lambda done: self.say(text(done)) if done % tenth == 0 and total > SILENT_SERIES else None
            return
        with Live(Text(text(0)), console=self.console, refresh_per_second=4, transient=True) as live:
            yield lambda done: live.update(Text(text(done)))


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


def describe_mixture(name: str, whole: Candidate, mixture: Mixture) -> str:
    """Return how an average was made, in one line: who counts how much, how far apart they are, what else was tried.

    Of the averages that an `auto` tried, the one taken is told; all stand in JSON and MLflow.
    """
    weights = ", ".join(f"{member} {weight:.2f}" for member, weight in mixture.weights.items())
    how = mixture.combination.replace("_", " ")
    spread = (
        f"; its members' medians deviate by {whole.validation['spread']:.3f} of the scale"
        if len(mixture.weights) > 1
        else ""
    )
    told = {way: loss for way, loss in mixture.losses.items() if "+" not in way or way == "+".join(mixture.weights)}
    losses = ", ".join(f"{way} {loss:.4f}" for way, loss in told.items())
    return f"{name}: {how} weights ({weights}){spread}; validation losses: {losses}"


def describe_fit(name: str, candidate: Candidate) -> str:
    """Return what a network's trials came to, in one line, and what of the tuned weights a tuned one has."""
    spec = candidate.forecaster.spec
    share, tuned = spec.options.synthetic_share, spec.options.tuned_share
    chosen = [
        f"{spec.options.steps} steps on {'logarithms' if spec.transform == 'log' else 'plain values'}",
        *(["without the calendar"] if spec.options.calendar is False else []),
        *([f"{share:.0%} of the windows synthetic"] if share else []),
        *([f"{tuned:.0%} of the tuned weights"] if tuned is not None else []),
    ]
    return f"{name}: {', '.join(chosen)}; validation MASE {candidate.validation['mase']:.4f}"
