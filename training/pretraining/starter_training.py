"""Starter training: the schedules that a starter goes through, with a checkpoint after every epoch."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from models import artifact
from models.networks.build import NetworkOptions
from models.networks.learner import Learner, Weights, learner_for
from models.networks.onnx_export.half_precision import round_to_half
from models.networks.transfer import transfer_weights
from models.starters import NAME
from training.config.fit import FitConfig
from training.data import synthetic
from training.fit.candidate import EpochRecord
from training.fit.loop import Clock, TrainingSchedule, take_steps
from training.fit.selection import recipe
from training.pretraining.checkpoint import restore, save, seconds_of
from training.pretraining.held_out import HeldOut, synthetic_windows
from training.pretraining.starter_specs import FIRST, STARTER_SPECS, StarterSpec
from training.progress import Progress
from training.registry import runs
from training.registry.client import Registry

LEARNING_RATE, SOUP_RATE, TRANSFER_RATE = 3e-3, 1.5e-3, 2e-3
"""Peak learning rate of the first starter, of each of its soup's members, and of the starters that begin with its weights."""

SOUP_MEMBERS, SOUP_SHARE = 3, 0.15
"""Networks that go on from the end of the first starter's schedule, each with series of its own, and the share of its steps
that each takes; the starter is the mean of their weights."""

REFINED_SHARE, REFINED_SHORT, REFINED_WEIGHT = 0.1875, 0.15, 0.7
"""Of the last stage of the first starter, which learns growth: its share of the steps, the share of its windows that show less
than one season, and the weight of what it learns in the mean with what was known before."""

STEPS_PER_EPOCH = 100


@dataclass(frozen=True, slots=True)
class PretrainRequest:
    """Which starters are made, and how.

    Attributes:
        output: Folder of the starters, with a folder for each.
        home: Folder of ALMANAC_HOME, where checkpoints lie.
        kinds: Keys of `STARTER_SPECS`; the first starter is trained in any case, since the others begin with its weights.
        steps: Optimizer steps of the first starter.
        seed: Of weights and series.
        units: Width of each layer.
        layers: Stacked recurrent layers.
        batch_size: Windows in a step.
        first: Folder of a first starter that exists, which the others begin with in place of one that is trained now.
    """

    output: Path
    home: Path
    kinds: tuple[str, ...] = tuple(STARTER_SPECS)
    steps: int = 8000
    seed: int = 1
    units: int = 96
    layers: int = 2
    batch_size: int = 256
    first: Path | None = None

    @property
    def digest(self) -> str:
        """Shortened SHA-256 of all that changes a weight: settings and the program that makes the series."""
        settings = {
            key: value for key, value in asdict(self).items() if key not in {"output", "home", "kinds", "first"}
        }
        settings["first"] = _digest_of(self.first)
        settings["kinds"] = [asdict(spec) for spec in STARTER_SPECS.values()]
        program = "".join(path.read_text(encoding="utf-8") for path in synthetic.SOURCES)
        return hashlib.sha256((json.dumps(settings, sort_keys=True) + program).encode()).hexdigest()[:12]

    @property
    def command(self) -> str:
        """The command line of this request."""
        settings = f"--steps {self.steps} --seed {self.seed} --units {self.units} --layers {self.layers}"
        first = f" --first {self.first}" if self.first else ""
        return f"almanac pretrain {settings}{first}"

    @property
    def unfinished(self) -> Path:
        """Folder of the checkpoints, until all starters are made."""
        return self.home / "pretrain" / self.digest


def _digest_of(first: Path | None) -> str | None:
    """Return the SHA-256 of the weights that the starters begin with, None if they are trained."""
    weights = None if first is None else first / artifact.WEIGHTS
    return hashlib.sha256(weights.read_bytes()).hexdigest() if weights is not None and weights.is_file() else None


@dataclass(frozen=True, slots=True)
class Stage:
    """One schedule of a starter.

    Attributes:
        name: Of the stage and of its checkpoint.
        place: Among all stages; each draws series of its own.
        shares: Of each kind of synthetic series.
        rate: Peak learning rate.
        steps: Optimizer steps.
        short: Share of windows that show less than one season.
    """

    name: str
    place: int
    shares: Mapping[str, float]
    rate: float
    steps: int
    short: float

    def generator(self, seed: int, step: int) -> np.random.Generator:
        """Return the generator of an epoch's windows, which depends on no earlier epoch."""
        return np.random.default_rng([seed, self.place, step])


@dataclass(frozen=True, slots=True)
class Cost:
    """Optimizer steps and seconds of all stages so far, without interruptions."""

    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StarterTraining:
    """The training of one starter, in an MLflow run of its own."""

    request: PretrainRequest
    spec: StarterSpec
    registry: Registry
    progress: Progress
    run_id: str

    def train(self, first: tuple[Weights, StarterSpec] | None) -> tuple[Learner, HeldOut, Cost]:
        """Return the trained network, the windows that its figures come from, and its cost.

        Args:
            first: Weights of the first starter and its spec, to begin with: the first starter itself learns growth in
                addition. None for a first starter from new weights.
        """
        held_out = HeldOut.draw(self.spec, self.request.seed)
        learner = learner_for(recipe(self._options(self.spec), FitConfig()))
        if self.spec.frequency == FIRST:
            weights, cost = (first[0], Cost()) if first is not None else self._train_first(learner, held_out)
            weights, cost = self._refine(learner, held_out, weights, cost)
        else:
            if first is None:
                raise ValueError(f"{self.spec.frequency} begins with the weights of {FIRST}.")
            weights, cost = self._tune(learner, held_out, *first)
        learner.network.set_weights(round_to_half(weights))
        return learner, held_out, cost

    def _train_first(self, learner: Learner, held_out: HeldOut) -> tuple[Weights, Cost]:
        """Return the mean weights of networks that went on from the same schedule, and the cost.

        The mean errs less than any of them.

        Source: Wortsman et al. (2022), Model soups: averaging weights of multiple fine-tuned models, ICML.
        """
        name, steps = self.spec.frequency, self._steps
        broad = Stage(name, list(STARTER_SPECS).index(name), synthetic.BROAD, LEARNING_RATE, steps, self.spec.short)
        begun, cost = self._run(broad, learner, held_out, None, Cost())
        members = []
        for number in range(1, SOUP_MEMBERS + 1):
            length = max(1, round(SOUP_SHARE * steps))
            place = len(STARTER_SPECS) + number
            member = Stage(f"{name}, soup {number}", place, synthetic.NARROW, SOUP_RATE, length, self.spec.short)
            weights, cost = self._run(member, learner, held_out, begun, cost)
            members.append(weights)
        return [np.mean(parts, axis=0, dtype=parts[0].dtype) for parts in zip(*members, strict=True)], cost

    def _refine(self, learner: Learner, held_out: HeldOut, known: Weights, before: Cost) -> tuple[Weights, Cost]:
        """Return the mean of weights and what they become on months that grow, and the cost.

        Source: Wortsman et al. (2022), Robust fine-tuning of zero-shot models, CVPR, for the mean of before and after.
        """
        place, length = len(STARTER_SPECS) + SOUP_MEMBERS + 1, max(1, round(REFINED_SHARE * self.request.steps))
        name = f"{self.spec.frequency}, growth"
        stage = Stage(name, place, synthetic.MONTHS, TRANSFER_RATE, length, REFINED_SHORT)
        learned, cost = self._run(stage, learner, held_out, known, before)
        pairs = zip(known, learned, strict=True)
        return [((1 - REFINED_WEIGHT) * old + REFINED_WEIGHT * new).astype(old.dtype) for old, new in pairs], cost

    def _tune(self, learner: Learner, held_out: HeldOut, weights: Weights, first: StarterSpec) -> tuple[Weights, Cost]:
        """Return the weights and the cost of a starter that begins with the weights of the first one."""
        name = self.spec.frequency
        begun = transfer_weights(weights, self._options(first), self._options(self.spec))
        stage = Stage(
            name, list(STARTER_SPECS).index(name), self.spec.shares, TRANSFER_RATE, self._steps, self.spec.short
        )
        return self._run(stage, learner, held_out, begun, Cost())

    def _options(self, spec: StarterSpec) -> NetworkOptions:
        return spec.options(self.request.units, self.request.layers)

    @property
    def _steps(self) -> int:
        return max(1, round(self.spec.share * self.request.steps))

    def _run(
        self, stage: Stage, learner: Learner, held_out: HeldOut, begun: Weights | None, before: Cost
    ) -> tuple[Weights, Cost]:
        """Return the averaged weights at the end of a stage that begins with some weights, or with the seed's."""
        learner.restart(self.request.seed, begun)
        checkpoint = self.request.unfinished / f"{stage.name}.npz"
        earlier = restore(learner, checkpoint)
        if learner.steps:
            self.progress.report(f"{stage.name}: going on at step {learner.steps} of {stage.steps}")
        clock = Clock(time.perf_counter() - earlier, float("inf"))
        with self.progress.training(f"{NAME} {stage.name}") as show:
            for first in range(learner.steps, stage.steps, STEPS_PER_EPOCH):
                epoch = self._epoch(stage, learner, held_out, first, clock)
                save(learner, checkpoint, seconds=clock.spent())
                show(replace(epoch, seconds=before.seconds + epoch.seconds))
                runs.log_epoch(self.registry, self.run_id, replace(epoch, stage_step=before.steps + epoch.step))
        return learner.averaged_weights(), Cost(before.steps + stage.steps, before.seconds + seconds_of(checkpoint))

    def _epoch(self, stage: Stage, learner: Learner, held_out: HeldOut, first: int, clock: Clock) -> EpochRecord:
        """Take the steps of one epoch and return its record, with the error on the held-out windows."""
        count = min(STEPS_PER_EPOCH, stage.steps - first)
        config = FitConfig(learning_rate=stage.rate, batch_size=self.request.batch_size)
        windows = replace(synthetic_windows(self.spec), shares=stage.shares, short=stage.short)
        schedule = TrainingSchedule(config, stage.generator(self.request.seed, first), None, clock)
        loss, norms = take_steps(learner, windows, schedule, first=first, count=count, total=stage.steps)
        with learner.averaged():
            error = held_out.error(learner)
        number, name = -(-(first + count) // STEPS_PER_EPOCH), f"{stage.name}, {stage.steps} steps"
        return EpochRecord(number, learner.steps, loss, error, norms, clock.spent(), name)
