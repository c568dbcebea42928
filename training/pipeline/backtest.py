"""Backtest: candidates and baselines fitted and scored at rolling origins; what `almanac backtest` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from models.errors import TrainingError
from training.config.training import ENSEMBLE, TrainConfig
from training.data.eligibility import describe_validated
from training.data.holdout import Cutoff, Split, describe_left_out, hold_out
from training.data.series_set import SeriesSet
from training.engines.engine import Engine
from training.evaluation.baselines import BaselineRequest, backtest_baselines
from training.evaluation.comparison import (
    REFERENCE,
    BaselineResult,
    Comparison,
    Failure,
    Result,
    Sample,
    describe_failures,
)
from training.evaluation.scores import Scores, join_scores, skill
from training.fit.ensemble_weights import EnsembleWeights
from training.pipeline.candidates import FittedCandidate, candidate_names, fit_candidates, score
from training.pipeline.remote_candidates import fit_on
from training.pipeline.task import Runtime, TrainingTask
from training.pipeline.tracking import untracked

Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What is backtested.

    Attributes:
        config: Horizon, candidates, seeds and baselines.
        origins: Rolling origins, the newest first, each a horizon before the one before; each fits anew.
        cutoff: One calendar date that ends the newest origin's past for all series; None: each series before its last
            `horizon` points.
    """

    config: TrainConfig
    origins: int = 1
    cutoff: Cutoff | None = None


@dataclass(frozen=True, slots=True)
class Backtest:
    """The result of a backtest.

    Attributes:
        rows: By name, metrics named as in `Scores.summary`, with `skill` (1 - MASE / MASE of the seasonal naive on the
            same series) and what the row costs: `train_seconds`, `forecast_ms` and, of a network, `network_mb`.
        dropped: Series that could not be scored.
        failures: By name, why a network has no row.
        samples: By baseline that is fitted to a sample, which one, and if it is partial each network's MASE on it.
        ensembles: The ensemble's weights at each origin, the newest first.
        chosen: By row, the weights that each `auto` chose at each origin, the newest first.
        blocks: By row, its metrics at each origin alone, the newest first; empty if there is only one origin.
    """

    rows: Mapping[str, Row]
    dropped: int
    failures: Mapping[str, str]
    samples: Mapping[str, Mapping[str, Any]]
    ensembles: Sequence[EnsembleWeights]
    chosen: Mapping[str, Sequence[EnsembleWeights]]
    blocks: Mapping[str, Sequence[Row]]


def run_backtest(data: SeriesSet, request: BacktestRequest, runtime: Runtime, engine: Engine | None = None) -> Backtest:
    """Fit and score each candidate and baseline at each origin; a network never sees the points it is scored on.

    With an engine each network of each origin is a task of its own; without one they are fitted here, one after the other.

    Raises:
        TrainingError: If every network fails, each at one origin or more.
        DataInvalid: If no series is long enough for every origin.
    """
    reported = set[str]()
    scored, splits = _Scored(request, []), _splits(data, request)
    ready = None
    if engine is not None and request.config.architecture:
        ready = fit_on(engine, [TrainingTask(request.config, data, (split,)) for split in splits], runtime)
    for number, split in enumerate(splits):
        if request.origins > 1:
            back = number * request.config.horizon
            earlier = f", {back} steps earlier" if back else ""
            runtime.progress.report(f"Origin {number + 1} of {request.origins}{earlier}:")
        if split.left_out.keys() - reported:
            runtime.progress.report_findings(describe_left_out(split))
            reported |= split.left_out.keys()
        runtime.progress.report_findings(
            describe_validated(split.histories, request.config.horizon, split.season_length)
        )
        scored.origins.append(
            _run_origin(
                data,
                request,
                split,
                replace(runtime, scratch=runtime.scratch / str(number)),
                None if ready is None else ready[number],
            )
        )
    return scored.result()


def _splits(data: SeriesSet, request: BacktestRequest) -> list[Split]:
    """Return every origin, the newest first."""
    season, horizon = data.frequency.season_length, request.config.horizon
    return [
        hold_out(data.series, horizon, season_length=season, blocks=number + 1, cutoff=request.cutoff)
        for number in range(request.origins)
    ]


def _run_origin(
    data: SeriesSet,
    request: BacktestRequest,
    split: Split,
    runtime: Runtime,
    fitted: Sequence[FittedCandidate] | None = None,
) -> Comparison:
    """Return candidates, which are fitted now or were before, and baselines at one origin."""
    config = request.config
    wanted = BaselineRequest(config.baselines, config.baseline_series, config.seed, request.origins)
    baselines = backtest_baselines(split, wanted, runtime.progress)
    task = TrainingTask(config, data, (split,))
    if fitted is None:
        fitted = fit_candidates(candidate_names(config, {}), task, runtime, untracked) if config.architecture else []
    tried = [score(one, (split,)) for one in fitted]
    return Comparison(
        tuple(one for one in tried if isinstance(one, Result)),
        baselines,
        tuple(one for one in tried if isinstance(one, Failure)),
    )


@dataclass(frozen=True, slots=True)
class _Scored:
    """The comparisons of all origins, the newest first."""

    request: BacktestRequest
    origins: list[Comparison] = field(default_factory=list)

    def result(self) -> Backtest:
        """Return the rows: networks (of several seeds their mean, then each seed), the ensemble, baselines."""
        config, whole = self.request.config, self._whole()
        failures = {one.name: one.cause for origin in self.origins for one in origin.failures}
        if config.architecture and not any(one.name in whole for one in config.contenders):
            raise TrainingError(f"Every network failed. {describe_failures(failures)}")
        groups = {one: self._members(one, whole) for one in config.architecture}
        names: dict[str, list[str]] = {}
        for architecture, members in groups.items():
            names |= {architecture: members} if members else {}
            names |= {self._row_name(name): [name] for name in members}
        names |= {name: [name] for name in (ENSEMBLE, *config.baselines) if name in whole}
        rows = {name: _mean([whole[one] for one in members]) for name, members in names.items()}
        several = len(self.origins) > 1
        return Backtest(
            rows,
            max(int(row["dropped"]) for row in rows.values()),
            failures,
            {name: self._describe_sample(name, names) for name in config.baselines if self._is_sampled(name, whole)},
            self._weights(ENSEMBLE) if ENSEMBLE in whole else [],
            {self._row_name(one.name): found for one in config.contenders if (found := self._weights(one.name))},
            {name: self._blocks(members) for name, members in names.items()} if several else {},
        )

    def _members(self, architecture: str, whole: Mapping[str, Row]) -> list[str]:
        contenders = self.request.config.contenders
        return [one.name for one in contenders if one.architecture == architecture and one.name in whole]

    def _row_name(self, name: str) -> str:
        """Return the row of a network; of several seeds each row has its seed, also of what is made once."""
        config = self.request.config
        return f"{name}/{config.seed}" if config.seeds > 1 and "/" not in name else name

    def _whole(self) -> dict[str, Row]:
        """Return the metrics over all origins of each row that has a result at every origin."""
        every = [{*(one.name for one in origin.results), *origin.baselines} for origin in self.origins]
        return {name: self._row(name) for name in set.intersection(*every)}

    def _row(self, name: str) -> Row:
        summary = join_scores([_scores(one, name) for one in self.origins]).summary()
        reference = self._on_series_of(name, REFERENCE).summary()
        return {**summary, **self._costs(name), "skill": skill(summary, reference)}

    def _costs(self, name: str) -> Row:
        """Return seconds of training, milliseconds of a forecast and, of a network, its megabytes."""
        baselines = [one.baselines[name] for one in self.origins if name in one.baselines]
        results = [_result(one, name) for one in self.origins] if not baselines else []
        seconds = [one.forecast_ms * len(one.scores.ids) / 1000 if one.sample else 0.0 for one in baselines]
        seconds += [float(one.candidate.train_seconds) for one in results]
        milliseconds = [one.forecast_ms for one in baselines] + [one.forecast_ms for one in results]
        size = {"network_mb": results[-1].network_mb} if results else {}
        return {"train_seconds": sum(seconds), "forecast_ms": float(np.mean(milliseconds)), **size}

    def _on_series_of(self, baseline: str, name: str) -> Scores:
        """Return a row's scores on the series that a baseline is fitted to, all series for anything else."""
        parts = []
        for origin in self.origins:
            scores, fitted = _scores(origin, name), origin.baselines.get(baseline)
            parts.append(scores if fitted is None else fitted.same_rows(scores))
        return join_scores(parts)

    def _is_sampled(self, name: str, whole: Mapping[str, Row]) -> bool:
        return name in whole and self.origins[0].baselines[name].sample is not None

    def _describe_sample(self, baseline: str, names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Return which series a baseline is fitted to; if not to all, each network's MASE on the same."""
        samples = [origin.baselines[baseline].sample for origin in self.origins]
        sample = Sample.join([one for one in samples if one is not None])
        if sample.is_complete:
            return sample.to_dict()
        networks = {name: members for name, members in names.items() if name not in self.origins[0].baselines}
        mase = {
            name: float(np.mean([self._on_series_of(baseline, one).mase.mean() for one in members]))
            for name, members in networks.items()
        }
        return sample.to_dict() | {"mase": mase}

    def _weights(self, name: str) -> list[EnsembleWeights]:
        found = [
            one.candidate.ensemble_weights for origin in self.origins for one in origin.results if one.name == name
        ]
        return [one for one in found if one is not None]

    def _blocks(self, members: Sequence[str]) -> list[Row]:
        """Return a row's metrics at each origin alone; of several seeds their mean."""
        return [_mean([_scores(origin, name).summary() for name in members]) for origin in self.origins]


def _result(origin: Comparison, name: str) -> Result:
    return next(one for one in origin.results if one.name == name)


def _scores(origin: Comparison, name: str) -> Scores:
    found: Result | BaselineResult = origin.baselines[name] if name in origin.baselines else _result(origin, name)
    return found.scores


def _mean(rows: Sequence[Row]) -> Row:
    counts = {"series_scored": rows[0]["series_scored"], "dropped": rows[0]["dropped"]}
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]} | counts


def to_dict(
    found: Backtest, data: SeriesSet, request: BacktestRequest, described: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a backtest as `almanac backtest --json` prints it; `described` is what is needed to make it again."""
    ensemble = {ENSEMBLE: found.rows[ENSEMBLE]} if ENSEMBLE in found.rows else {}
    failed = {"failed": dict(found.failures)} if found.failures else {}
    return {
        "models": dict(found.rows),
        "dropped": found.dropped,
        "horizon": request.config.horizon,
        "frequency": data.frequency.name,
        "season_length": data.frequency.season_length,
        "origins": request.origins,
        "seeds": request.config.seeds,
        "cutoff": request.cutoff.text if request.cutoff else None,
        "data_digest": data.digest,
        "sample": dict(found.samples),
        "mixtures": [one.to_dict() for one in found.ensembles],
        "chosen": {name: [one.to_dict() for one in weights] for name, weights in found.chosen.items()},
        "blocks": {name: list(rows) for name, rows in found.blocks.items()},
        **ensemble,
        **failed,
        **({"provenance": dict(described)} if described else {}),
    }
