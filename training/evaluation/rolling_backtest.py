"""Evaluation: architectures, seeds and baselines on rolling origins; what `almanac backtest` prints."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models import artifact
from models.errors import AlmanacError, TrainingError
from training.config.fit import FitConfig
from training.config.training import BASELINES, ENSEMBLE, each_seed
from training.data.eligibility import tell_validated
from training.data.series_set import SeriesSet, digest
from training.evaluation import backtest
from training.evaluation.backtest import Cutoff, Scores, Split
from training.evaluation.baselines import BaselineWish, backtest_baselines
from training.evaluation.comparison import REFERENCE, BaselineResult, Sample, name_causes
from training.fit.candidate import Candidate, TrainingSet
from training.fit.ensemble import Combine, combine_with_keras, make_ensemble
from training.fit.ensemble_weights import Mixture
from training.fit.request import Fit, FitRequest
from training.progress import Terminal

Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be evaluated.

    Attributes:
        horizon: Steps held out at each origin.
        architecture: Networks to train.
        origins: Rolling origins, the newest first, each a horizon before the last; each trains anew.
        seed: First seed.
        seeds: How many seeds, counted up from the first.
        fit: How each network is fitted.
        cutoff: One calendar date that ends the newest origin's past for all series; None: each series before its last
            `horizon` points.
        baselines: What the networks are compared with; the seasonal naive is among them.
        baseline_series: Series that AutoETS and AutoTheta are fitted to; None goes by a budget.
    """

    horizon: int
    architecture: tuple[str, ...]
    origins: int = 1
    seed: int = 0
    seeds: int = 1
    fit: FitConfig = field(default_factory=FitConfig)
    cutoff: Cutoff | None = None
    baselines: tuple[str, ...] = BASELINES
    baseline_series: int | None = None

    @property
    def members(self) -> list[tuple[str, int]]:
        """Architecture and seed of each network trained at an origin."""
        return each_seed(self.architecture, self.seed, self.seeds)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out.

    Attributes:
        rows: By name, figures named as in `Scores.summary`, with `skill` (1 - MASE / MASE of the seasonal naive on the
            same series) and what the row costs: `train_seconds`, `forecast_ms` and, of a network, `network_mb`.
        dropped: Series that could not be scored.
        failures: By name, why a network has no row.
        samples: By baseline that is fitted to a sample, which one, and where it is partial each network's MASE on it.
        mixtures: How the ensemble was weighed at each origin, the newest first.
        chosen: By row, what each `auto` was made of at each origin, the newest first.
        blocks: By row, its figures at each origin alone, the newest first; empty where there is but one.
    """

    rows: Mapping[str, Row]
    dropped: int
    failures: Mapping[str, str]
    samples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mixtures: Sequence[Mixture] = ()
    chosen: Mapping[str, Sequence[Mixture]] = field(default_factory=dict)
    blocks: Mapping[str, Sequence[Row]] = field(default_factory=dict)


@dataclass(slots=True)
class _Tally:
    """Scores by row, collected origin by origin."""

    parts: dict[str, list[Scores]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    baselines: dict[str, list[BaselineResult]] = field(default_factory=dict)
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)
    mixtures: dict[str, list[Mixture]] = field(default_factory=dict)

    def add(self, name: str, scores: Scores, seconds: float, milliseconds: float) -> None:
        """Add one row's scores at one origin, and what they cost."""
        self.parts.setdefault(name, []).append(scores)
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self.milliseconds.setdefault(name, []).append(milliseconds)

    def add_baseline(self, name: str, result: BaselineResult) -> None:
        """Add a baseline at one origin."""
        self.baselines.setdefault(name, []).append(result)
        seconds = result.forecast_ms * len(result.scores.ids) / 1000 if result.sample else 0.0
        self.add(name, result.scores, seconds, result.forecast_ms)

    def row(self, name: str) -> Row:
        """Return the figures over all origins."""
        summary = backtest.join(self.parts[name]).summary()
        reference = self.on_series_of(name, REFERENCE) if name in self.baselines else self.whole(REFERENCE)
        skill = backtest.skill(summary, reference.summary())
        size = {"network_mb": self.megabytes[name]} if name in self.megabytes else {}
        cost = {"train_seconds": self.seconds[name], "forecast_ms": float(np.mean(self.milliseconds[name])), **size}
        return {**summary, **cost, "skill": skill}

    def blocks(self, name: str) -> list[Row]:
        """Return the figures at each origin alone."""
        return [one.summary() for one in self.parts[name]]

    def whole(self, name: str) -> Scores:
        """Return a row's scores over all origins."""
        return backtest.join(self.parts[name])

    def on_series_of(self, baseline: str, name: str) -> Scores:
        """Return a row's scores on the series that a baseline stands on."""
        pairs = zip(self.baselines[baseline], self.parts[name], strict=True)
        return backtest.join([result.same_rows(scores) for result, scores in pairs])

    def sample(self, baseline: str) -> Sample:
        """Return the series that a baseline was fitted to at all origins."""
        return Sample.join([one.sample for one in self.baselines[baseline] if one.sample])


@dataclass(frozen=True, slots=True)
class _Origin:
    """One origin as it is being evaluated: what is asked, what was before it, who trains and where."""

    data: SeriesSet
    question: Question
    split: Split
    tally: _Tally
    fit: Fit
    combine: Combine
    terminal: Terminal
    folder: Path


def evaluate(  # noqa: PLR0913 - the question, and all that answers it
    data: SeriesSet,
    question: Question,
    fit: Fit,
    *,
    terminal: Terminal,
    scratch: Path,
    combine: Combine = combine_with_keras,
) -> Evaluation:
    """Return the errors of each architecture and baseline; a network never sees the points it is scored on.

    Two networks or more make an ensemble, as `almanac train` would: one model with a file of its own.

    Raises:
        TrainingError: If every network fails, each at one origin or more.
        DataInvalid: If no series is long enough for every origin.
    """
    tally, told = _Tally(), set[str]()
    splits = [
        backtest.hold_out(
            data.series,
            question.horizon,
            season_length=data.frequency.season_length,
            blocks=number + 1,
            cutoff=question.cutoff,
        )
        for number in range(question.origins)
    ]
    for number, split in enumerate(splits):
        if question.origins > 1:
            back = number * question.horizon
            terminal.say(f"Origin {number + 1} of {question.origins}{f', {back} steps earlier' if back else ''}:")
        if split.left_out.keys() - told:
            terminal.say_findings(backtest.tell_left_out(split))
            told |= split.left_out.keys()
        terminal.say_findings(tell_validated(split.histories, question.horizon, split.season_length))
        wish = BaselineWish(question.baselines, question.baseline_series, question.seed, question.origins)
        for name, result in backtest_baselines(split, wish, terminal).items():
            tally.add_baseline(name, result)
        origin = _Origin(data, question, split, tally, fit, combine, terminal, scratch / str(number))
        made = {_row_name(*member): _try_member(member, origin) for member in question.members}
        networks = {name: one for name, one in made.items() if one is not None and one.mixture is None}
        if len(networks) > 1:
            _try_ensemble(networks, origin)
    if question.members and not any(
        len(tally.parts.get(_row_name(*member), ())) == question.origins for member in question.members
    ):
        raise TrainingError(f"Every network failed. {name_causes(tally.failures)}")
    return _conclude(tally, question)


def _try_member(member: tuple[str, int], origin: _Origin) -> Candidate | None:
    """Train and score one network at one origin; a failure is told and kept."""
    architecture, seed = member
    name = _row_name(architecture, seed)
    label = name if origin.question.seeds > 1 else architecture
    histories = origin.split.histories
    data, horizon = origin.data, origin.question.horizon
    seen = TrainingSet(histories, data.frequency.name, horizon, digest(histories), data.covariates)

    def make() -> Candidate:
        directory = origin.folder / f"{architecture}-{seed}"
        directory.mkdir(parents=True)
        with origin.terminal.training(label) as show:
            request = FitRequest(
                training_set=seen,
                architecture=architecture,
                name="backtest",
                seed=seed,
                config=origin.question.fit,
                directory=directory,
                on_epoch=show,
            )
            return origin.fit(request)

    return _try(name, label, make, origin)


def _try_ensemble(networks: Mapping[str, Candidate], origin: _Origin) -> None:
    """Make one model of all networks and score it at one origin; a failure is told and kept."""
    plain = origin.question.seeds == 1
    named = {name.partition("/")[0] if plain else name: one for name, one in networks.items()}
    _try(ENSEMBLE, ENSEMBLE, lambda: make_ensemble(named, origin.folder / ENSEMBLE, origin.combine), origin)


def _try(name: str, label: str, make: Callable[[], Candidate], origin: _Origin) -> Candidate | None:
    """Make and score one candidate at one origin; a failure is told and kept."""
    tally, split, terminal = origin.tally, origin.split, origin.terminal
    try:
        candidate = make()
        scores = backtest.score(split, backtest.predict_network(candidate.forecaster, split))
    except AlmanacError as error:
        again = str(error) in tally.failures.values()
        tally.failures[name] = str(error)
        terminal.say(f"{label} failed{', as before.' if again else f': {error.detail}'}", "red")
        return None
    for warning in candidate.warnings:
        terminal.say(f"  {label}: {warning}", "yellow")
    tally.add(name, scores, candidate.train_seconds, backtest.measure_latency(candidate.forecaster, split))
    tally.megabytes[name] = artifact.network_mb(candidate.directory)
    if candidate.mixture is not None:
        tally.mixtures.setdefault(name, []).append(candidate.mixture)
    terminal.say_choice(label, candidate)
    return candidate


def _conclude(tally: _Tally, question: Question) -> Evaluation:
    """Return the rows: networks (over several seeds their mean, then each seed), the ensemble, baselines."""
    whole = {name: tally.row(name) for name, parts in tally.parts.items() if len(parts) == question.origins}
    rows: dict[str, Row] = {}
    for architecture in question.architecture:
        names = [_row_name(architecture, seed) for one, seed in question.members if one == architecture]
        members = {name: whole[name] for name in names if name in whole}
        if members:
            rows[architecture] = _mean(list(members.values()))
            rows |= members if question.seeds > 1 else {}
    rows |= {name: whole[name] for name in (ENSEMBLE, *question.baselines) if name in whole}
    plain = {_shown(name, question): why for name, why in tally.failures.items()}
    dropped = max(int(row["dropped"]) for row in rows.values())
    sampled = [name for name in question.baselines if name in whole and tally.baselines[name][0].sample]
    samples = {name: _state_sample(name, tally, whole, question) for name in sampled}
    autos = {name: found for name, found in tally.mixtures.items() if name != ENSEMBLE}
    chosen = {_shown(name, question): found for name, found in autos.items()}
    blocks = {name: _blocks(name, tally, question) for name in rows} if question.origins > 1 else {}
    mixtures = tally.mixtures.get(ENSEMBLE, []) if ENSEMBLE in whole else []
    return Evaluation(rows, dropped, plain, samples, mixtures, chosen, blocks)


def _blocks(name: str, tally: _Tally, question: Question) -> list[Row]:
    """Return a row's figures at each origin alone; of an architecture of several seeds their mean."""
    members = [_row_name(*member) for member in question.members if name in {member[0], _row_name(*member)}] or [name]
    parts = [tally.blocks(one) for one in members if len(tally.parts.get(one, ())) == question.origins]
    return [_mean(rows) for rows in zip(*parts, strict=True)]


def _state_sample(baseline: str, tally: _Tally, whole: Mapping[str, Row], question: Question) -> dict[str, Any]:
    """Return which series a baseline stands on; where not on all, each network's MASE on the same, named as its row."""
    sample = tally.sample(baseline)
    if sample.is_whole:
        return sample.to_dict()
    errors = {
        name: float(tally.on_series_of(baseline, name).mase.mean()) for name in whole if name not in tally.baselines
    }
    for architecture in question.architecture:
        seeds = [
            errors[_row_name(one, seed)]
            for one, seed in question.members
            if _row_name(one, seed) in errors and one == architecture
        ]
        errors |= {architecture: float(np.mean(seeds))} if seeds else {}
    shown = errors if question.seeds > 1 else {name: error for name, error in errors.items() if "/" not in name}
    return sample.to_dict() | {"mase": shown}


def _mean(rows: Sequence[Row]) -> Row:
    counts = {"series_scored": rows[0]["series_scored"], "dropped": rows[0]["dropped"]}
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]} | counts


def _shown(name: str, question: Question) -> str:
    """Return a row's name as it is printed: without the seed where there is but one."""
    return name.removesuffix(f"/{question.seed}") if question.seeds == 1 else name


def _row_name(architecture: str, seed: int) -> str:
    return f"{architecture}/{seed}"


def to_dict(
    evaluation: Evaluation, data: SeriesSet, question: Question, told: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return an evaluation as `almanac backtest --json` prints it; `told` is what is needed to do it again."""
    found: dict[str, Any] = {
        "models": dict(evaluation.rows),
        "dropped": evaluation.dropped,
        "horizon": question.horizon,
        "frequency": data.frequency.name,
        "season_length": data.frequency.season_length,
        "origins": question.origins,
        "seeds": question.seeds,
        "cutoff": question.cutoff.text if question.cutoff else None,
        "data_digest": data.digest,
        "sample": dict(evaluation.samples),
        "mixtures": [one.to_dict() for one in evaluation.mixtures],
        "chosen": {name: [one.to_dict() for one in found] for name, found in evaluation.chosen.items()},
        "blocks": {name: list(rows) for name, rows in evaluation.blocks.items()},
    }
    ensemble = {ENSEMBLE: evaluation.rows[ENSEMBLE]} if ENSEMBLE in evaluation.rows else {}
    failed = {"failed": dict(evaluation.failures)} if evaluation.failures else {}
    return found | ensemble | failed | ({"provenance": dict(told)} if told else {})
