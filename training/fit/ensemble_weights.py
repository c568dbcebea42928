"""Ensemble weights: which candidates an ensemble averages and with what weights, chosen on their validation forecasts.

An ensemble forecasts the weighted mean of its members' quantiles. Three rules give weights:

- `equal`: every candidate has the same weight;
- `inverse_pinball`: one over the candidate's validation loss, as Bates & Granger (1969) do with the variance;
- `greedy`: start empty; repeatedly add the candidate, new or not, that lowers the loss most; keep the counts with the
  least loss (Caruana et al. 2004). A candidate that never helps is left out.

Weights learned from a few hundred forecasts seldom beat equal ones on later forecasts (the forecast combination puzzle,
Smith & Wallis 2009). So each rule learns its weights on one half of the origins and is scored on the other half, and a
rule replaces the default one only if its loss is at least half a per cent lower.

Sources: Bates & Granger (1969), The combination of forecasts, Operational Research Quarterly 20(4); Caruana,
Niculescu-Mizil, Crew & Ksikes (2004), Ensemble selection from libraries of models, ICML; Smith & Wallis (2009), A simple
explanation of the forecast combination puzzle, Oxford Bulletin of Economics and Statistics 71(3).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from models.accuracy import pinball, pinball_losses, row_means
from models.errors import DataInvalid
from training.fit.validation import Floats, Indices, Validation

EQUAL = "equal"

MARGIN = 0.005
"""Share by which another rule's loss must be below the default rule's."""

ROUNDS = 20
"""Candidates that greedy selection adds at most, so its weights are multiples of a twentieth or more."""

MOST_ORIGINS = 2000
"""Origins that weights are learned from; more add nothing to a handful of numbers."""

WeightRule = Callable[[Sequence[Validation]], Floats]
"""Returns a weight for each candidate, of sum 1."""


@dataclass(frozen=True, slots=True)
class EnsembleWeights:
    """The members of an ensemble and their weights.

    Attributes:
        combination: `equal`, `inverse_pinball` or `greedy`; of an `auto` `equal` or `cautious`.
        weights: By candidate's name, each above 0, of sum 1; a candidate that is left out has none.
        losses: Validation pinball loss by rule, each scored on origins it did not learn from, and for an `auto` by average
            too, such as `lstm+starter`; in units of the in-sample seasonal scale, twice the mean over quantiles, so that
            it is close to MASE.
    """

    combination: str
    weights: Mapping[str, float]
    losses: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the weights as plain data."""
        return {"combination": self.combination, "weights": dict(self.weights), "losses": dict(self.losses)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the weights that `to_dict` wrote."""
        return cls(data["combination"], dict(data["weights"]), dict(data["losses"]))


def equal_weights(places: Sequence[int], count: int) -> Floats:
    """Return equal weights for the candidates at some places, 0 for the others, shape (count,)."""
    weights = np.zeros(count)
    weights[list(places)] = 1 / len(places)
    return weights


def equal(validations: Sequence[Validation]) -> Floats:
    """Return the same weight for every candidate."""
    return equal_weights(range(len(validations)), len(validations))


def inverse_pinball(validations: Sequence[Validation]) -> Floats:
    """Return weights proportional to one over the loss."""
    inverse = 1 / np.maximum([loss(one) for one in validations], 1e-12)
    weights: Floats = inverse / inverse.sum()
    return weights


def greedy(validations: Sequence[Validation]) -> Floats:
    """Return the weights of forward selection with replacement, stopped at the least loss."""
    counts = np.zeros(len(validations))
    least, kept = np.inf, counts
    for size in range(1, ROUNDS + 1):
        tries = [counts + one for one in np.eye(len(validations))]
        losses = [loss_of_mean(validations, one / size) for one in tries]
        at = int(np.argmin(losses))
        counts = tries[at]
        if losses[at] < least:
            least, kept = losses[at], counts
    weights: Floats = kept / kept.sum()
    return weights


RULES: Mapping[str, WeightRule] = {EQUAL: equal, "inverse_pinball": inverse_pinball, "greedy": greedy}


def choose_weights(
    validations: Mapping[str, Validation], rules: Mapping[str, WeightRule] = RULES, default: str = EQUAL
) -> EnsembleWeights:
    """Return the weights by the rule with the least cross-fitted loss, by the default rule unless another is clearly better.

    Raises:
        DataInvalid: If the candidates have no validation origin in common.
    """
    aligned = align_sample(validations)
    losses = {name: cross_fitted_loss(rule, aligned) for name, rule in rules.items()}
    least = min(losses, key=lambda name: losses[name])
    chosen = least if losses[least] < (1 - MARGIN) * losses[default] else default
    weights = {name: float(one) for name, one in zip(validations, rules[chosen](aligned), strict=True) if one > 0}
    return EnsembleWeights(chosen, weights, losses)


def cross_fitted_loss(rule: WeightRule, validations: Sequence[Validation]) -> float:
    """Return the mean loss of a rule over both halves of the origins, each with the weights learned on the other half.

    Args:
        rule: Gives the weights.
        validations: Forecasts of the same origins in the same order, as `align` returns them.
    """
    halves: list[Indices] = [one for one in np.array_split(np.arange(len(validations[0].targets)), 2) if len(one)]
    found = []
    for scored, learned in zip(halves, reversed(halves), strict=True):
        weights = rule([select_origins(one, learned) for one in validations])
        found.append(loss_of_mean([select_origins(one, scored) for one in validations], weights))
    return float(np.nanmean(found))


def loss(validation: Validation) -> float:
    """Return the mean pinball loss over known targets and quantiles, doubled, in units of each origin's scale."""
    scales = validation.scales[:, None]
    return 2 * pinball(validation.targets / scales, validation.quantiles / scales[..., None], validation.levels)


def losses_by_origin(validation: Validation) -> Floats:
    """Return the same loss of each origin, shape (origins,), NaN without a target."""
    scales = validation.scales[:, None]
    losses = pinball_losses(validation.targets / scales, validation.quantiles / scales[..., None], validation.levels)
    return 2 * row_means(losses.mean(axis=-1))


def loss_of_mean(validations: Sequence[Validation], weights: Floats) -> float:
    """Return the loss of the weighted mean of aligned forecasts."""
    return loss(_weighted(validations, weights))


def weighted_mean(validations: Sequence[Validation], weights: Sequence[float]) -> Validation:
    """Return the weighted mean of forecasts on the origins that all candidates forecast; raises as `align`."""
    return _weighted(align(validations), np.asarray(weights))


def _weighted(validations: Sequence[Validation], weights: Floats) -> Validation:
    parts = [weight * one.quantiles for weight, one in zip(weights, validations, strict=True) if weight > 0]
    return replace(validations[0], quantiles=sum(parts, np.zeros(1)))


def spread_of_members(validations: Sequence[Validation]) -> float:
    """Return the standard deviation of the members' medians, mean over origins and steps.

    In units of the in-sample seasonal scale, as MASE is. Raises as `align`.
    """
    aligned = align(validations)
    medians = np.stack([one.median for one in aligned])
    return float(np.mean(np.std(medians, axis=0) / aligned[0].scales[:, None]))


def align(validations: Sequence[Validation]) -> list[Validation]:
    """Return forecasts of the same origins in the same order: those that every candidate forecast.

    Raises:
        DataInvalid: If there is no such origin.
    """
    keys = [list(zip(one.rows.tolist(), one.cutoffs.tolist(), strict=True)) for one in validations]
    shared = sorted(set.intersection(*(set(one) for one in keys)))
    if not shared:
        raise DataInvalid(
            f"No validation origin was forecast by all {len(validations)} networks.",
            hint="Train them on the same series.",
        )
    found = []
    for one, own in zip(validations, keys, strict=True):
        place = {key: at for at, key in enumerate(own)}
        found.append(select_origins(one, np.array([place[key] for key in shared])))
    return found


def align_sample(validations: Mapping[str, Validation], most: int = MOST_ORIGINS) -> list[Validation]:
    """Return aligned forecasts of at most so many origins, evenly chosen; raises as `align`."""
    aligned = align(list(validations.values()))
    count = len(aligned[0].targets)
    if count <= most:
        return aligned
    places = np.linspace(0, count - 1, most).astype(np.int64)
    return [select_origins(one, places) for one in aligned]


def select_origins(validation: Validation, places: Indices) -> Validation:
    """Return some origins of a validation, in the order given."""
    parts = {key: getattr(validation, key)[places] for key in ("rows", "cutoffs", "targets", "quantiles", "scales")}
    times = None if validation.times is None else validation.times[places]
    return replace(validation, times=times, **parts)
