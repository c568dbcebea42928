"""Comparison: candidates and baselines on the same held-out block, and which candidate wins on validation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.errors import TrainingError
from training.backtest import Predictions, Scores, card, skill
from training.candidate import Candidate

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
    """

    candidate: Candidate
    run_id: str
    scores: Scores
    predictions: Predictions
    forecast_ms: float

    @property
    def architecture(self) -> str:
        """Architecture of the network."""
        return self.candidate.forecaster.spec.architecture

    @property
    def validation_mase(self) -> float:
        """MASE on the validation origins, by which the winner is chosen."""
        return float(self.candidate.validation["mase"])


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """A baseline on the held-out block."""

    scores: Scores
    predictions: Predictions
    forecast_ms: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A candidate that could not be trained or backtested.

    Attributes:
        architecture: What was tried.
        cause: The error's text.
        code: The error's code.
        step: Optimizer step reached.
    """

    architecture: str
    cause: str
    code: str
    step: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that came out of one comparison."""

    results: tuple[Result, ...]
    baselines: Mapping[str, BaselineResult]
    failures: tuple[Failure, ...] = ()

    @property
    def winner(self) -> Result:
        """The candidate with the least validation error; the first one trained, where two are equal.

        Raises:
            TrainingError: If every candidate failed.
        """
        if not self.results:
            raise TrainingError(
                f"Every candidate failed. {name_causes({one.architecture: one.cause for one in self.failures})}"
            )
        return min(self.results, key=_order)

    def beats_baselines(self, result: Result) -> bool:
        """Return whether the backtest error is below that of every baseline."""
        own = result.scores.summary()["mase"]
        return all(own < baseline.scores.summary()["mase"] for baseline in self.baselines.values())

    def summary_metrics(self, result: Result) -> dict[str, float]:
        """Return the few metrics by which a person sorts candidates in MLflow's table."""
        return {
            **_backtest_metrics(result.scores, self.baselines),
            "validation.mase": result.validation_mase,
            "train_seconds": float(result.candidate.train_seconds),
            "forecast_ms": result.forecast_ms,
        }

    def baseline_metrics(self, name: str) -> dict[str, float]:
        """Return the same metrics for a baseline, as far as they apply."""
        baseline = self.baselines[name]
        return {**_backtest_metrics(baseline.scores, self.baselines), "forecast_ms": baseline.forecast_ms}

    def cards(self, result: Result, note: str) -> dict[str, Any]:
        """Return the backtest as the specification of a model holds it: the model's figures beside the baselines'."""
        baselines = {name: card(baseline.scores) for name, baseline in self.baselines.items()}
        return {"model": card(result.scores, note=note), **baselines}


def name_causes(failures: Mapping[str, str]) -> str:
    """Return each cause once, behind the names of those that it stopped."""
    stopped: dict[str, list[str]] = {}
    for name, cause in failures.items():
        stopped.setdefault(cause, []).append(name)
    return " ".join(f"{', '.join(names)}: {cause}" for cause, names in stopped.items())


def _order(result: Result) -> float:
    return math.inf if math.isnan(result.validation_mase) else result.validation_mase


def _backtest_metrics(scores: Scores, baselines: Mapping[str, BaselineResult]) -> dict[str, float]:
    summary = scores.summary()
    return {
        "backtest.mase": summary["mase"],
        "backtest.smape": summary["smape"],
        **{f"backtest.{key}": summary[key] for key in ("coverage_80", "coverage_95", "crossings")},
        "backtest.skill_seasonal_naive": skill(summary, baselines[REFERENCE].scores.summary()),
    }
