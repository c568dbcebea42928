"""Comparison: candidates and baselines on the same held-out block, and which candidate wins on validation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from models.errors import TrainingError
from training.evaluation.scores import Predictions, Scores, score_card, skill
from training.fit.candidate import Candidate

REFERENCE = "seasonal_naive"
"""The baseline that `backtest.skill_seasonal_naive` is measured against."""


@dataclass(frozen=True, slots=True)
class Result:
    """A candidate that was trained and backtested.

    Attributes:
        candidate: The trained network.
        run_id: Its tracking run.
        scores: Its errors on the held-out block.
        predictions: Its forecasts of that block.
        forecast_ms: Median time of one single-series forecast.
        name: What it is called among the candidates, such as `lstm`, `lstm/1` or `ensemble`.
        network_mb: Size of network.onnx, which a service holds in memory, in 10⁶ bytes.
    """

    candidate: Candidate
    run_id: str
    scores: Scores
    predictions: Predictions
    forecast_ms: float
    name: str
    network_mb: float

    @property
    def architecture(self) -> str:
        """Architecture of the network."""
        return self.candidate.forecaster.spec.architecture

    @property
    def asked(self) -> str:
        """What it was asked for as, such as `lstm` for `lstm/1`: `auto` may be of any architecture."""
        return self.name.partition("/")[0]

    @property
    def validation_mase(self) -> float:
        """MASE on the validation origins, by which the winner is chosen."""
        return float(self.candidate.validation["mase"])


@dataclass(frozen=True, slots=True)
class Sample:
    """The series that a baseline was fitted to.

    Attributes:
        places: Rows of the split's scored series, rising.
        of: Scored series in all.
        observations: Values fitted.
        seed: Seed of the draw.
        interpolated: Gaps that were filled for this baseline alone.
        shortened: Series of which only the newest steps were fitted.
        failed: Series whose fit failed and that got a seasonal naive.
    """

    places: tuple[int, ...]
    of: int
    observations: int
    seed: int
    interpolated: int
    shortened: int
    failed: int

    @property
    def is_whole(self) -> bool:
        """Whether no series was left out."""
        return len(self.places) == self.of

    @classmethod
    def join(cls, parts: "Sequence[Self]") -> Self:
        """Return the samples of several origins as one: the newest one's series, everything counted together."""
        newest = parts[0]
        counted = ("observations", "interpolated", "shortened", "failed")
        return replace(newest, **{name: sum(getattr(part, name) for part in parts) for name in counted})

    def to_dict(self) -> dict[str, Any]:
        """Return the sample as JSON and MLflow have it."""
        return {
            "series": len(self.places),
            "of": self.of,
            "observations": self.observations,
            "seed": self.seed,
            "interpolated": self.interpolated,
            "shortened": self.shortened,
            "failed": self.failed,
        }


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """A baseline on the held-out block.

    Attributes:
        scores: Its errors.
        predictions: Its forecasts.
        forecast_ms: Mean time of one series; for the classical models it holds the fit.
        sample: The series it was fitted to; None where it stands on all of them.
        rows: Rows of another model's scores that it stands on, where there are several origins; None for those of its
            sample.
    """

    scores: Scores
    predictions: Predictions
    forecast_ms: float
    sample: Sample | None = None
    rows: tuple[int, ...] | None = None

    def same_rows(self, scores: Scores) -> Scores:
        """Return the part of another model's scores that lies on this baseline's series and origins."""
        if self.sample is None or self.sample.is_whole:
            return scores
        return scores.only(self.sample.places if self.rows is None else self.rows)


@dataclass(frozen=True, slots=True)
class Failure:
    """A candidate that could not be trained or backtested.

    Attributes:
        name: What was tried.
        cause: The error's text.
        code: The error's code.
        step: Optimizer step reached.
    """

    name: str
    cause: str
    code: str
    step: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that came out of one comparison.

    Attributes:
        results: Candidates, in the order in which they were trained.
        baselines: By name.
        failures: Candidates that came to nothing.
        pick: Name or architecture of the candidate that a person wants; "" for validation's winner.
    """

    results: tuple[Result, ...]
    baselines: Mapping[str, BaselineResult]
    failures: tuple[Failure, ...] = ()
    pick: str = ""

    @property
    def best(self) -> Result:
        """The candidate with the least validation error; the first one trained, where two are equal.

        Raises:
            TrainingError: If every candidate failed.
        """
        if not self.results:
            raise TrainingError(f"Every candidate failed. {self._causes()}")
        return min(self.results, key=_order)

    @property
    def winner(self) -> Result:
        """The candidate that is registered: the one picked, else the best.

        Raises:
            TrainingError: If every candidate failed, or the one picked did.
        """
        best = self.best
        picked = [one for one in self.results if self.pick in {one.name, one.asked}]
        if self.pick and not picked:
            raise TrainingError(
                f"The candidate picked, {self.pick}, was not made. {self._causes()}".rstrip(),
                hint=f"Validation's winner is {best.name}; train without --pick.",
            )
        return min(picked, key=_order) if picked else best

    def _causes(self) -> str:
        return name_causes({one.name: one.cause for one in self.failures})

    def beats_baselines(self, result: Result) -> bool:
        """Return whether the backtest error is below that of every baseline, on the series that the baseline stands on."""
        return all(
            baseline.same_rows(result.scores).mase.mean() < baseline.scores.mase.mean()
            for baseline in self.baselines.values()
        )

    def summary_metrics(self, result: Result) -> dict[str, float]:
        """Return the few metrics by which a person sorts candidates in MLflow's table."""
        return {
            **_backtest_metrics(result.scores, self.baselines[REFERENCE].scores),
            **({"validation.mase": result.validation_mase} if math.isfinite(result.validation_mase) else {}),
            "train_seconds": float(result.candidate.train_seconds),
            "forecast_ms": result.forecast_ms,
            "network_mb": result.network_mb,
            **{f"ensemble.{key}": value for key, value in result.candidate.validation.items() if key == "spread"},
            **result.candidate.pace,
        }

    def baseline_metrics(self, name: str) -> dict[str, float]:
        """Return the same metrics for a baseline, as far as they apply."""
        baseline = self.baselines[name]
        reference = baseline.same_rows(self.baselines[REFERENCE].scores)
        return {**_backtest_metrics(baseline.scores, reference), "forecast_ms": baseline.forecast_ms}

    def samples(self) -> dict[str, dict[str, Any]]:
        """Return, for each baseline that is fitted to a sample, which one; and each candidate's MASE on it if it is partial."""
        found = {}
        for name, baseline in self.baselines.items():
            if baseline.sample:
                there = {one.name: float(baseline.same_rows(one.scores).mase.mean()) for one in self.results}
                found[name] = baseline.sample.to_dict() | ({} if baseline.sample.is_whole else {"mase": there})
        return found

    def cards(self, result: Result, note: str) -> dict[str, Any]:
        """Return the backtest as the specification of a model holds it: the model's figures beside the baselines'."""
        baselines = {
            name: score_card(
                baseline.scores, **({"note": tell_sample(name, baseline.sample)} if baseline.sample else {})
            )
            for name, baseline in self.baselines.items()
        }
        return {"model": score_card(result.scores, note=note), **baselines}


def tell_sample(name: str, sample: Sample) -> str:
    """Return one sentence that says on which series a baseline stands."""
    if sample.is_whole:
        return f"{name}: all {sample.of} series"
    return (
        f"{name}: {len(sample.places)} of {sample.of} series ({sample.observations} observations, seed {sample.seed})"
    )


def name_causes(failures: Mapping[str, str]) -> str:
    """Return each cause once, behind the names of those that it stopped."""
    stopped: dict[str, list[str]] = {}
    for name, cause in failures.items():
        stopped.setdefault(cause, []).append(name)
    return " ".join(f"{', '.join(names)}: {cause}" for cause, names in stopped.items())


def _order(result: Result) -> float:
    return math.inf if math.isnan(result.validation_mase) else result.validation_mase


def _backtest_metrics(scores: Scores, reference: Scores) -> dict[str, float]:
    summary = scores.summary()
    return {
        "backtest.mase": summary["mase"],
        "backtest.smape": summary["smape"],
        **{f"backtest.{key}": summary[key] for key in ("coverage_80", "coverage_95", "crossings")},
        "backtest.skill_seasonal_naive": skill(summary, reference.summary()),
    }
