from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from tests.training.fakes import make_following
from training.cli.tables import describe_outcome
from training.data.holdout import Split
from training.evaluation.comparison import BaselineResult, Comparison, Sample, describe_failures
from training.evaluation.scores import predict_baseline, score


def test_samples_of_several_origins_are_counted_together() -> None:
    """The series are those of the newest origin; the counts are sums."""
    newest, older = (Sample((0, 1), 3, 100, 0, 2, 1, 1), Sample((0, 1), 3, 76, 0, 1, 0, 0))

    assert Sample.join([newest, older]).to_dict() == {
        "series": 2, "of": 3, "observations": 176, "seed": 0, "interpolated": 3, "shortened": 1, "failed": 1,
    }  # fmt: skip


def test_skill_of_a_sampled_baseline_is_measured_on_its_series(split: Split) -> None:
    """A seasonal naive on one of three series has no skill over itself, whatever the errors on the others."""
    results = []
    for part, sample in ((split, None), (split.only([1]), Sample((1,), 3, 84))):
        predictions = predict_baseline("seasonal_naive", part)
        results.append(BaselineResult(score(part, predictions), predictions, 1.0, sample))

    comparison = Comparison((), {"seasonal_naive": results[0], "auto_ets": results[1]})

    assert comparison.baseline_metrics("auto_ets")["backtest.skill_seasonal_naive"] == pytest.approx(0.0)
    assert comparison.samples()["auto_ets"]["series"] == 1


def test_a_cause_of_several_failures_is_named_once() -> None:
    """Its candidates come before it."""
    assert (
        describe_failures({"lstm": "NaN.", "gru": "NaN.", "wavenet": "Too big."}) == "lstm, gru: NaN. wavenet: Too big."
    )


@pytest.mark.parametrize(
    ("lstm", "starter", "best"), [(1.0, 1.01, "lstm"), (1.0, 1.002, "starter"), (1.0, 0.9, "starter")]
)
def test_the_starter_is_best_unless_another_is_clearly_better(lstm: float, starter: float, best: str) -> None:
    """It was not chosen on the validation origins; without it the least error decides."""

    def make(name: str, error: float) -> Any:  # noqa: ANN401 - stands for a result
        return SimpleNamespace(
            name=name, validation_mase=error, candidate=SimpleNamespace(forecasts=make_following(error, 12))
        )

    networks = [make("wavenet", 1.1), make("lstm", lstm)]

    found = Comparison(cast("Any", (*networks, make("starter", starter))), {})

    assert found.best.name == best
    assert (found.unclear and found.unclear.name) == ("lstm" if best == "starter" and lstm < starter else None)
    assert Comparison(cast("Any", tuple(networks)), {}).best.name == "lstm"


@pytest.mark.parametrize(
    ("own", "starts", "says_starter"),
    [(1.19, "loses to seasonal naive (MASE 1.19 against 0.97)", True), (0.5, "beats every baseline", False)],
)
def test_a_winner_that_loses_is_said_to_lose_with_both_errors(own: float, starts: str, *, says_starter: bool) -> None:
    """And that the starter, in whose place it answers, may be better."""
    scores = {mase: SimpleNamespace(mase=np.array([mase])) for mase in (own, 0.97)}
    winner = SimpleNamespace(name="lstm", scores=scores[own], validation_mase=1.0)
    baseline = BaselineResult(cast("Any", scores[0.97]), cast("Any", None), 1.0)
    comparison = Comparison(cast("Any", (winner,)), {"seasonal_naive": baseline})
    compared = SimpleNamespace(winner=winner, notes=())
    decision = SimpleNamespace(promote=True, reason="", notes=())
    outcome = SimpleNamespace(
        comparison=comparison, compared=compared, decision=decision, name="sales", version="1", run_id="r"
    )

    lines = describe_outcome(cast("Any", outcome))

    assert lines[0].startswith(f"sales version 1: lstm, which {starts}")
    assert any("--model starter" in line for line in lines) is says_starter
