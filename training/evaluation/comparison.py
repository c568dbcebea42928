"""Comparison: the results of candidates and baselines on the same held-out blocks, and the winner on validation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from models.errors import DataInvalid, TrainingError
from training.config.training import STARTER
from training.evaluation.scores import Predictions, Scores, score_card, skill
from training.fit.candidate import Candidate
from training.fit.clear_gain import gains_clearly

REFERENCE = "seasonal_naive"
"""The baseline of `backtest.skill_seasonal_naive`."""


@dataclass(frozen=True, slots=True)
class Result:
    """A candidate that was trained and backtested.

    Attributes:
        candidate: The trained network.
        run_id: Its MLflow run.
        scores: Its errors at all origins.
        predictions: Its forecasts at the newest origin.
        forecast_ms: Median time of a forecast of one series.
        name: Its name among the candidates, such as `lstm`, `lstm/1` or `ensemble`.
        network_mb: Size of network.onnx, which the service keeps in memory, in 10⁶ bytes.
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
    def requested(self) -> str:
        """The architecture that was requested, such as `lstm` for `lstm/1` or `auto` for an ensemble."""
        return self.name.partition("/")[0]

    @property
    def validation_mase(self) -> float:
        """MASE on the validation origins, which decides the winner."""
        return float(self.candidate.validation["mase"])


@dataclass(frozen=True, slots=True)
class Sample:
    """The series to which a baseline was fitted.

    Attributes:
        indices: Rows of the split's scored series, in ascending order.
        total: Number of scored series.
        observations: Number of values fitted.
        seed: Seed of the draw.
        interpolated: Number of gaps that were filled for this baseline only.
        shortened: Number of series of which only the newest steps were fitted.
        failed: Number of series whose fit failed and that got a seasonal naive.
    """

    indices: tuple[int, ...]
    total: int
    observations: int
    seed: int = 0
    interpolated: int = 0
    shortened: int = 0
    failed: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether it contains every scored series."""
        return len(self.indices) == self.total

    @classmethod
    def join(cls, parts: "Sequence[Self]") -> Self:
        """Return the samples of several origins as one: the series of the newest origin, the counts added up."""
        counts = ("observations", "interpolated", "shortened", "failed")
        return replace(parts[0], **{name: sum(getattr(part, name) for part in parts) for name in counts})

    def to_dict(self) -> dict[str, Any]:
        """Return the sample as JSON and MLflow have it."""
        counts = asdict(self)
        return {"series": len(counts.pop("indices")), "of": counts.pop("total"), **counts}


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """The result of a baseline.

    Attributes:
        scores: Its errors at all origins.
        predictions: Its forecasts at the newest origin.
        forecast_ms: Mean time of one series; for the classical models it includes the fit.
        sample: The series to which it was fitted; None for a baseline that is not fitted.
        rows: The rows of its series in another model's scores, if there are several origins; None: those of its sample.
    """

    scores: Scores
    predictions: Predictions
    forecast_ms: float
    sample: Sample | None = None
    rows: tuple[int, ...] | None = None

    def same_rows(self, scores: Scores) -> Scores:
        """Return another model's scores on the series and origins of this baseline."""
        if self.sample is None or self.sample.is_complete:
            return scores
        return scores.only(self.sample.indices if self.rows is None else self.rows)


@dataclass(frozen=True, slots=True)
class Failure:
    """A candidate that could not be made, with the error's text and code, and the optimizer step at which it failed."""

    name: str
    cause: str
    code: str
    step: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome of one comparison.

    Attributes:
        results: Results of the candidates, in the order of training.
        baselines: Results of the baselines by name.
        failures: Candidates that failed.
        pick: Name or architecture of the candidate that the user chose; "" for the best on validation.
    """

    results: tuple[Result, ...]
    baselines: Mapping[str, BaselineResult]
    failures: tuple[Failure, ...] = ()
    pick: str = ""

    @property
    def best(self) -> Result:
        """The candidate with the lowest validation error, or the starter unless that one clearly errs less.

        Of equal ones it is the first one trained. The starter has not seen the validation origins, while the others were
        chosen on them.

        Raises:
            TrainingError: If every candidate failed.
        """
        if not self.results:
            raise TrainingError(f"Every candidate failed. {self._causes()}")
        best = min(self.results, key=_validation_error)
        starter = next((one for one in self.results if one.name == STARTER), best)
        return best if starter is best or _is_clearly_better(best, starter) else starter

    @property
    def unclear(self) -> Result | None:
        """The candidate with a lower validation error than the best one, which is the starter; None if there is none."""
        least = min(self.results, key=_validation_error, default=None)
        return None if least is None or least is self.best else least

    @property
    def winner(self) -> Result:
        """The candidate to register: the picked one, else the best.

        Raises:
            TrainingError: If every candidate failed, or the picked one did.
        """
        best = self.best
        picked = [one for one in self.results if self.pick in {one.name, one.requested}]
        if self.pick and not picked:
            raise TrainingError(
                f"There is no result for the picked candidate {self.pick!r}. {self._causes()}".rstrip(),
                hint=f"Train without --pick to register {best.name}, the best on validation.",
            )
        return min(picked, key=_validation_error) if picked else best

    def _causes(self) -> str:
        return describe_failures({one.name: one.cause for one in self.failures})

    def beats_baselines(self, result: Result) -> bool:
        """Return whether the backtest MASE is below that of every baseline, each on the baseline's series."""
        return not self.lost_to(result)

    def lost_to(self, result: Result) -> dict[str, tuple[float, float]]:
        """Return the baselines that a candidate does not beat, with the MASE of both, its own first, on the baseline's series."""
        found = {
            name: (float(one.same_rows(result.scores).mase.mean()), float(one.scores.mase.mean()))
            for name, one in self.baselines.items()
        }
        return {name: both for name, both in found.items() if not both[0] < both[1]}

    def summary_metrics(self, result: Result) -> dict[str, float]:
        """Return the metrics of a candidate's MLflow run by name."""
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
        """Return those metrics that apply to a baseline."""
        baseline = self.baselines[name]
        reference = baseline.same_rows(self.baselines[REFERENCE].scores)
        return {**_backtest_metrics(baseline.scores, reference), "forecast_ms": baseline.forecast_ms}

    def samples(self) -> dict[str, dict[str, Any]]:
        """Return the sample of each fitted baseline, with each candidate's MASE on it if it is incomplete."""
        found = {}
        for name, baseline in self.baselines.items():
            if baseline.sample:
                errors = {one.name: float(baseline.same_rows(one.scores).mase.mean()) for one in self.results}
                found[name] = baseline.sample.to_dict() | ({} if baseline.sample.is_complete else {"mase": errors})
        return found

    def cards(self, result: Result, note: str) -> dict[str, Any]:
        """Return the scores of a candidate and of the baselines, as a model's specification stores them."""
        notes = {name: describe_sample(name, one.sample) for name, one in self.baselines.items() if one.sample}
        baselines = {
            name: score_card(one.scores, **({"note": notes[name]} if name in notes else {}))
            for name, one in self.baselines.items()
        }
        return {"model": score_card(result.scores, note=note), **baselines}


def describe_sample(name: str, sample: Sample) -> str:
    """Return one line that names the size of a baseline's sample."""
    if sample.is_complete:
        return f"{name}: all {sample.total} series"
    size = f"{len(sample.indices)} of {sample.total} series"
    return f"{name}: {size} ({sample.observations} observations, seed {sample.seed})"


def describe_failures(causes: Mapping[str, str]) -> str:
    """Return each cause of failure once, preceded by the names of the candidates that it affected."""
    names_by_cause: dict[str, list[str]] = {}
    for name, cause in causes.items():
        names_by_cause.setdefault(cause, []).append(name)
    return " ".join(f"{', '.join(names)}: {cause}" for cause, names in names_by_cause.items())


def _is_clearly_better(tried: Result, safe: Result) -> bool:
    """Return whether a candidate gains clearly on a safe one; True if they have no validation origin in common."""
    if safe.candidate.forecasts is None or tried.candidate.forecasts is None:
        return True
    try:
        return gains_clearly(tried.candidate.forecasts, safe.candidate.forecasts)
    except DataInvalid:
        return True


def _validation_error(result: Result) -> float:
    return math.inf if math.isnan(result.validation_mase) else result.validation_mase


def _backtest_metrics(scores: Scores, reference: Scores) -> dict[str, float]:
    summary = scores.summary()
    return {
        "backtest.mase": summary["mase"],
        "backtest.smape": summary["smape"],
        **{f"backtest.{key}": summary[key] for key in ("coverage_80", "coverage_95", "crossings")},
        "backtest.skill_seasonal_naive": skill(summary, reference.summary()),
    }
