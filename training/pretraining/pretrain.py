"""Pretrain: the starters made from nothing, on synthetic series alone, every step tracked and none lost to an interruption."""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models import artifact
from models.accuracy import mean_mase, scale_or_nan
from models.baselines import seasonal_naive
from models.calendar.on_calendar import parse_frequency
from models.networks.learner import Learner, Weights, learner_for
from models.networks.onnx_export.half_precision import deflate, round_to_half, to_half_precision
from models.networks.transfer import transfer_weights
from models.series import Series
from models.spec import ModelOptions
from models.starters import NAME, clear_cache
from models.windows import Contexts
from training.config.fit import FitConfig
from training.data import synthetic
from training.data.synthetic import SyntheticWindows
from training.data.synthetic_components import Floats
from training.data.windows import Batch
from training.fit.candidate import EpochRecord, TrainingSet
from training.fit.export import DESCRIBED_WINDOWS, FitSummary, export_network
from training.fit.loop import Clock, TrainingSchedule, mean_scaled_error, take_steps
from training.fit.request import FitRequest
from training.fit.selection import recipe
from training.fit.validation import Validation, evaluate
from training.pretraining.checkpoint import restore, save, seconds_of
from training.pretraining.starter_card import CARD, Made, card, describe
from training.pretraining.starter_specs import KINDS, Kind
from training.progress import Progress
from training.registry import runs
from training.registry.client import Registry
from training.registry.provenance import RunEnvironment

LEARNING_RATE, SETTLING_RATE, TAUGHT_RATE = 3e-3, 1.5e-3, 1e-3
"""Peak rate of the first kind, that begins with nothing, of its settling, and of the others, that begin with what it learned."""

SETTLINGS, SETTLING = 3, 0.15
"""Times that the first kind settles, each time from where its schedule ended and with series of its own, and the share of
its steps that this takes; the mean of the weights is kept."""

STEPS_PER_EPOCH = 100

HELD_OUT = 1024
"""Synthetic windows that figures are taken from and intervals calibrated on."""

HELD_OUT_SEED = 1_000_000
"""What tells the held-out windows' generator from those of training."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be made.

    Attributes:
        output: Where the starters go, a folder for each kind.
        home: Where unfinished work is kept.
        kinds: Names of `KINDS`; the first kind is made in any case, since the others begin with it.
        steps: Optimizer steps of the first kind.
        seed: Of weights and series.
        units: Width of each layer.
        layers: Stacked recurrent layers.
        batch_size: Windows in a step.
    """

    output: Path
    home: Path
    kinds: tuple[str, ...] = tuple(KINDS)
    steps: int = 8000
    seed: int = 1
    units: int = 96
    layers: int = 2
    batch_size: int = 256

    @property
    def digest(self) -> str:
        """What tells this work from other work: its settings and the program that makes the series, shortened SHA-256."""
        settings = {key: value for key, value in asdict(self).items() if key not in {"output", "home", "kinds"}}
        settings["kinds"] = [asdict(kind) for kind in KINDS.values()]
        program = "".join(path.read_text(encoding="utf-8") for path in synthetic.SOURCES)
        return hashlib.sha256((json.dumps(settings, sort_keys=True) + program).encode()).hexdigest()[:12]

    def steps_of(self, kind: Kind) -> int:
        """Return the steps that a kind takes, those of settling not counted."""
        return max(1, round(kind.share * self.steps))

    @property
    def command(self) -> str:
        """The command line that asks for this."""
        return f"almanac pretrain --steps {self.steps} --seed {self.seed} --units {self.units} --layers {self.layers}"

    @property
    def unfinished(self) -> Path:
        """Where checkpoints lie until all is done."""
        return self.home / "pretrain" / self.digest


@dataclass(frozen=True, slots=True)
class Stage:
    """One schedule that a starter goes through.

    Attributes:
        name: What it is called, and its checkpoint.
        place: Among all stages; each draws series of its own.
        shares: Of each kind of synthetic series.
        rate: Peak learning rate.
        steps: Optimizer steps.
    """

    name: str
    place: int
    shares: Mapping[str, float]
    rate: float
    steps: int

    def generator(self, seed: int, step: int) -> np.random.Generator:
        """Return what draws the windows from a step on: of its own for each epoch, so that none depends on the last."""
        return np.random.default_rng([seed, self.place, step])


@dataclass(frozen=True, slots=True)
class Taken:
    """Optimizer steps and seconds that stages took, interruptions left out."""

    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Synthetic windows that no training sees, with the scales that their errors are told in."""

    batch: Batch
    scales: Floats

    @classmethod
    def draw(cls, kind: Kind, seed: int) -> "HeldOut":
        """Return the windows whose visible part has a seasonal scale."""
        generator = np.random.default_rng([HELD_OUT_SEED, seed])
        batch = _windows(kind).draw(generator, HELD_OUT)
        season = parse_frequency(kind.frequency).season_length
        scales = np.array([scale_or_nan(row, season) for row in batch.contexts.context])
        usable = np.flatnonzero(np.isfinite(scales) & (scales > 0))
        contexts = Contexts(batch.contexts.context[usable], batch.contexts.phase[usable])
        return cls(Batch(contexts, batch.targets[usable]), scales[usable])

    def error(self, learner: Learner) -> float:
        """Return the MASE of a network's medians."""
        return mean_scaled_error(learner, self.batch, self.scales)

    def naive_error(self, season: int) -> float:
        """Return the MASE of seasonal naive."""
        horizon = self.batch.targets.shape[-1]
        medians = np.array([seasonal_naive(one, horizon, season) for one in self.series()])
        return mean_mase(self.batch.targets[:, 0], medians, self.scales)

    def series(self) -> list[Series]:
        """Return what the windows show, as series."""
        rows = enumerate(self.batch.contexts.context)
        return [Series.make(row[np.flatnonzero(~np.isnan(row))[0] :], id=f"synthetic-{at}") for at, row in rows]


def pretrain(wish: Wish, registry: Registry, progress: Progress, surroundings: RunEnvironment) -> list[Made]:
    """Return the starters that were asked for, made one after the other, each in an MLflow run of its own.

    What an earlier call with the same settings had finished or begun is taken up, not made again.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
        NetworkError: If a network cannot be exported.
        RegistryError: If MLflow does not answer.
    """
    try:
        made = _make_all(wish, registry, progress, surroundings)
    except KeyboardInterrupt:
        kept = any(wish.unfinished.glob("*.npz"))
        progress.report(
            f"What is done is kept in {wish.unfinished}: the same command goes on from there."
            if kept
            else "That was before the first checkpoint: nothing is kept."
        )
        raise
    shutil.rmtree(wish.unfinished)
    clear_cache()
    return made


def is_made(wish: Wish) -> bool:
    """Return whether every starter that is asked for lies in its place, made by these settings."""
    cards = [wish.output / kind / CARD for kind in wish.kinds]
    return all(card.is_file() and wish.command in card.read_text(encoding="utf-8") for card in cards)


def _make_all(wish: Wish, registry: Registry, progress: Progress, surroundings: RunEnvironment) -> list[Made]:
    first = next(iter(KINDS))
    names = [first, *(name for name in KINDS if name in wish.kinds and name != first)]
    made, handed = list[Made](), None
    with runs.tracked_run(registry, NAME, "pretrain") as parent:
        _log_wish(registry, parent, wish, surroundings)
        for name in names:
            with runs.tracked_run(registry, NAME, name, parent=parent) as run_id:
                maker = _Maker(wish, KINDS[name], registry, progress, run_id)
                learner, held_out, taken = maker.learn(handed)
                handed = handed or (learner.network.get_weights(), KINDS[name])
                if name in wish.kinds:
                    made.append(maker.finish(learner, held_out, taken, surroundings.commit))
                    progress.report(describe(made[-1]))
    return made


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes one kind."""

    wish: Wish
    kind: Kind
    registry: Registry
    progress: Progress
    run_id: str

    def learn(self, handed: tuple[Weights, Kind] | None) -> tuple[Learner, HeldOut, Taken]:
        """Return the network as it is at the end, or as it was finished before, the windows to judge it by, and its cost."""
        held_out = HeldOut.draw(self.kind, self.wish.seed)
        learner = learner_for(recipe(self._options(self.kind), FitConfig()))
        weights, taken = self._learn(learner, held_out, handed)
        learner.network.set_weights(weights)
        return learner, held_out, taken

    def finish(self, learner: Learner, held_out: HeldOut, taken: Taken, commit: str | None) -> Made:
        """Write the artifact, put it in its place and log it."""
        made = self._seal(learner, held_out, taken, commit)
        self.registry.log(self.run_id, metrics=dict(made.figures), tags={"almanac.kind": NAME})
        self.registry.log_files(self.run_id, made.directory, NAME)
        return made

    def _options(self, kind: Kind) -> Any:  # noqa: ANN401 - NetworkOptions, of models.networks
        return kind.options(self.wish.units, self.wish.layers)

    def _learn(self, learner: Learner, held_out: HeldOut, handed: tuple[Weights, Kind] | None) -> tuple[Weights, Taken]:
        """Return the weights at the end of the last stage, rounded to sixteen bits, and what all stages took.

        The mean of networks that went on from the same weights errs less than any of them: Wortsman et al. (2022), Model
        soups.
        """
        name, steps = self.kind.frequency, self.wish.steps_of(self.kind)
        place = list(KINDS).index(name)
        if handed is not None:
            begun = transfer_weights(handed[0], self._options(handed[1]), self._options(self.kind))
            taught = Stage(name, place, synthetic.NARROW, TAUGHT_RATE, steps)
            weights, taken = self._go_through(taught, learner, held_out, begun, Taken())
            return round_to_half(weights), taken
        broad = Stage(name, place, synthetic.BROAD, LEARNING_RATE, steps)
        begun, taken = self._go_through(broad, learner, held_out, None, Taken())
        ends = []
        for settling in _settlings(name, steps):
            weights, taken = self._go_through(settling, learner, held_out, begun, taken)
            ends.append(weights)
        return round_to_half([np.mean(parts, axis=0, dtype=parts[0].dtype) for parts in zip(*ends, strict=True)]), taken

    def _go_through(
        self, stage: Stage, learner: Learner, held_out: HeldOut, begun: Weights | None, before: Taken
    ) -> tuple[Weights, Taken]:
        """Return the averaged weights at the end of a stage that begins with some weights, or with the seed's."""
        learner.restart(self.wish.seed)
        if begun is not None:
            learner.start_from(begun)
        checkpoint = self.wish.unfinished / f"{stage.name}.npz"
        earlier = restore(learner, checkpoint)
        if learner.steps:
            self.progress.report(f"{stage.name}: going on at step {learner.steps} of {stage.steps}")
        clock = Clock(time.perf_counter() - earlier, float("inf"))
        with self.progress.training(f"{NAME} {stage.name}") as show:
            for first in range(learner.steps, stage.steps, STEPS_PER_EPOCH):
                epoch = self._epoch(stage, learner, held_out, first, clock)
                save(learner, checkpoint, seconds=clock.spent())
                show(replace(epoch, seconds=before.seconds + epoch.seconds))
                runs.log_epoch(self.registry, self.run_id, replace(epoch, step=before.steps + epoch.step))
        return learner.averaged_weights(), Taken(before.steps + stage.steps, before.seconds + seconds_of(checkpoint))

    def _epoch(self, stage: Stage, learner: Learner, held_out: HeldOut, first: int, clock: Clock) -> EpochRecord:
        """Return an epoch of a stage, taken, and looked at on windows that no training sees."""
        count = min(STEPS_PER_EPOCH, stage.steps - first)
        config = replace(FitConfig(), learning_rate=stage.rate, batch_size=self.wish.batch_size)
        windows = replace(_windows(self.kind), shares=stage.shares)
        schedule = TrainingSchedule(config, stage.generator(self.wish.seed, first), None, clock)
        loss, norms = take_steps(learner, windows, schedule, first=first, count=count, total=stage.steps)
        with learner.averaged():
            error = held_out.error(learner)
        number, told = -(-(first + count) // STEPS_PER_EPOCH), f"{stage.name}, {stage.steps} steps"
        return EpochRecord(number, learner.steps, loss, error, norms, clock.spent(), told)

    def _seal(self, learner: Learner, held_out: HeldOut, taken: Taken, commit: str | None) -> Made:
        """Write the artifact, calibrated on held-out synthetic windows, and its card."""
        name, kind = self.kind.frequency, self.kind
        forecasts = _validation(learner, held_out)
        figures, conformal = evaluate(forecasts)
        directory = self.wish.unfinished / name
        seen = TrainingSet(held_out.series(), parse_frequency(name).name, kind.horizon, self.wish.digest)
        learned = FitSummary(ModelOptions(calendar=False), figures, conformal.to_dict())
        contexts = held_out.batch.contexts.part(slice(DESCRIBED_WINDOWS))
        request = FitRequest(
            training_set=seen,
            architecture="lstm",
            name=NAME,
            seed=self.wish.seed,
            config=FitConfig(),
            directory=directory,
        )
        export_network(learner, contexts, request, learned)
        to_half_precision(directory / artifact.NETWORK)
        deflate(directory / artifact.WEIGHTS)
        windows = taken.steps * self.wish.batch_size
        length = kind.context_length + kind.horizon
        artifact.update_spec(directory, series_count=windows, observation_count=windows * length, run_id=self.run_id)
        season = parse_frequency(name).season_length
        told = {
            **figures,
            "mase_seasonal_naive": held_out.naive_error(season),
            "train_seconds": taken.seconds,
            "steps": float(taken.steps),
            "megabytes": sum(one.stat().st_size for one in directory.iterdir()) / 1e6,
        }
        made = Made(name, self.wish.output / name, self.wish.command, commit, told)
        (directory / CARD).write_text(card(made), encoding="utf-8")
        _put(directory, made.directory)
        return made


def _settlings(name: str, steps: int) -> list[Stage]:
    """Return the stages in which the first kind settles."""
    length = max(1, round(SETTLING * steps))
    return [
        Stage(f"{name}, settling {number}", len(KINDS) + number, synthetic.NARROW, SETTLING_RATE, length)
        for number in range(1, SETTLINGS + 1)
    ]


def _put(made: Path, place: Path) -> None:
    """Put an artifact in its place whole, the one that was there before taken away."""
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made, place)


def _windows(kind: Kind) -> SyntheticWindows:
    return SyntheticWindows(parse_frequency(kind.frequency).seasons, kind.context_length, kind.horizon)


def _validation(learner: Learner, held_out: HeldOut) -> Validation:
    """Return a network's forecasts of the held-out windows, each of a series of its own."""
    contexts, count = held_out.batch.contexts, len(held_out.scales)
    cutoffs = np.array([len(one) for one in held_out.series()])
    levels = tuple(learner.recipe.options.quantile_levels)
    quantiles = learner.predict(contexts)
    return Validation(np.arange(count), cutoffs, held_out.batch.targets[:, 0], quantiles, held_out.scales, levels)


def _log_wish(registry: Registry, run_id: str, wish: Wish, surroundings: RunEnvironment) -> None:
    """Write what is to be made, and by which program."""
    settings = {key: value for key, value in asdict(wish).items() if key not in {"output", "home"}}
    packages = {f"packages.{name}": version for name, version in surroundings.packages.items()}
    tags = {"almanac.kind": NAME, "command": surroundings.command, "machine": surroundings.machine}
    if surroundings.commit:
        tags["mlflow.source.git.commit"] = surroundings.commit
    registry.log(run_id, params={**settings, **packages, "digest": wish.digest}, tags=tags)
