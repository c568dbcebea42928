"""Mixture: which networks an ensemble is made of and with what weights, chosen on their validation forecasts.

Three ways are tried, all of them weighted means of quantiles:

- `equal`: every network counts the same;
- `inverse_pinball`: by one over its validation loss, as Bates & Granger (1969) weigh by one over the variance;
- `greedy`: start with nothing; again and again add the network, one already in or not, that helps the most, and stop
  where the loss was least (Caruana et al. 2004). A network that never helps is left out.

Weights that were learned from a few hundred forecasts seldom beat equal ones on the next (the forecast combination
puzzle, Smith & Wallis 2009). So each way learns its weights on one half of the origins and is scored on the other, and
another than `equal` is taken only where it is better by half a per cent.

Sources: Bates & Granger (1969), The combination of forecasts, Operational Research Quarterly 20(4); Caruana,
Niculescu-Mizil, Crew & Ksikes (2004), Ensemble selection from libraries of models, ICML; Smith & Wallis (2009), A simple
explanation of the forecast combination puzzle, Oxford Bulletin of Economics and Statistics 71(3).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from models.accuracy import pinball
from models.errors import DataInvalid
from training.fit.validation import Floats, Indices, Validation

EQUAL = "equal"

MARGIN = 0.005
"""How much less than that of equal weights another way's loss must be."""

ROUNDS = 20
"""Networks that greedy selection adds at the most, so that its weights are multiples of a twentieth or more."""

MOST_ORIGINS = 2000
"""Origins that weights are learned from; more add nothing to a handful of numbers."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """A weighted mean of networks.

    Attributes:
        combination: `equal`, `inverse_pinball` or `greedy`; of an `auto` always `equal`.
        weights: By network's name, each above 0, of sum 1; a network left out has none.
        losses: Validation pinball loss by way of combining, each scored on origins it did not learn from, and for an
            `auto` by average too, such as `lstm+starter`; in units of the in-sample seasonal scale, twice the mean over
            quantiles, so that it is close to MASE.
    """

    combination: str
    weights: Mapping[str, float]
    losses: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the mixture as plain data."""
        return {"combination": self.combination, "weights": dict(self.weights), "losses": dict(self.losses)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the mixture that `to_dict` wrote."""
        return cls(data["combination"], dict(data["weights"]), dict(data["losses"]))


def choose_mixture(validations: Mapping[str, Validation]) -> Mixture:
    """Return the mixture of networks with the least validation loss, equal weights unless others are clearly better.

    Args:
        validations: By network's name, all of the same horizon and levels.

    Raises:
        DataInvalid: If no origin was forecast by all.
    """
    aligned = [thinned(one) for one in align(list(validations.values()))]
    losses = {name: cross_fitted_loss(weigh, aligned) for name, weigh in WEIGHINGS.items()}
    best = min(losses, key=lambda name: losses[name])
    combination = best if losses[best] < (1 - MARGIN) * losses[EQUAL] else EQUAL
    weights = WEIGHINGS[combination](aligned)
    named = {name: float(weight) for name, weight in zip(validations, weights, strict=True) if weight > 0}
    return Mixture(combination, named, losses)


def mix(validations: Sequence[Validation], weights: Sequence[float]) -> Validation:
    """Return what a mixture forecast on the origins that all its members forecast; raises as `align`."""
    aligned = align(validations)
    return replace(aligned[0], quantiles=_mean(aligned, np.asarray(weights)))


def spread_of_members(validations: Sequence[Validation]) -> float:
    """Return how far apart members are: the mean over origins and steps of the standard deviation of their medians.

    In units of the in-sample seasonal scale, as MASE is. Raises as `align`.
    """
    aligned = align(validations)
    medians = np.stack([one.median for one in aligned])
    return float(np.mean(np.std(medians, axis=0) / aligned[0].scales[:, None]))


def loss(validation: Validation) -> float:
    """Return the mean pinball loss over known targets and quantiles, doubled, in units of each origin's scale."""
    scales = validation.scales[:, None]
    return 2 * pinball(validation.targets / scales, validation.quantiles / scales[..., None], validation.levels)


def align(validations: Sequence[Validation]) -> list[Validation]:
    """Return forecasts of the same origins in the same order: those that every network forecast.

    Raises:
        DataInvalid: If there is no such origin.
    """
    keys = [_keys(one) for one in validations]
    shared = sorted(set.intersection(*(set(one) for one in keys)))
    if not shared:
        raise DataInvalid(
            f"No validation origin was forecast by all {len(validations)} networks.",
            hint="Train them on the same series.",
        )
    found = []
    for one, own in zip(validations, keys, strict=True):
        place = {key: at for at, key in enumerate(own)}
        found.append(taken(one, np.array([place[key] for key in shared])))
    return found


def taken(validation: Validation, places: Indices) -> Validation:
    """Return some origins of a validation, in the order given."""
    parts = {key: getattr(validation, key)[places] for key in ("rows", "cutoffs", "targets", "quantiles", "scales")}
    times = None if validation.times is None else validation.times[places]
    return replace(validation, times=times, **parts)


def thinned(validation: Validation, most: int = MOST_ORIGINS) -> Validation:
    """Return at most so many origins, evenly."""
    count = len(validation.targets)
    return validation if count <= most else taken(validation, np.linspace(0, count - 1, most).astype(np.int64))


def _keys(validation: Validation) -> list[tuple[int, int]]:
    return list(zip(validation.rows.tolist(), validation.cutoffs.tolist(), strict=True))


def _mean(validations: Sequence[Validation], weights: Floats) -> Floats:
    """Return the weighted mean of quantiles, shape (origins, horizon, levels)."""
    mean: Floats = sum(
        (weight * one.quantiles for weight, one in zip(weights, validations, strict=True) if weight > 0), np.zeros(1)
    )
    return mean


def cross_fitted_loss(weigh: "Weigh", validations: Sequence[Validation]) -> float:
    """Return the loss of a way of weighing over both halves of the origins, each with the other half's weights.

    Args:
        weigh: Returns a weight for each validation.
        validations: Forecasts of the same origins in the same order, as `align` returns them.
    """
    count = len(validations[0].targets)
    halves: list[Indices] = [one for one in np.array_split(np.arange(count), 2) if len(one)]
    found = []
    for scored, learned in zip(halves, reversed(halves), strict=True):
        weights = weigh([taken(one, learned) for one in validations])
        found.append(loss(mix([taken(one, scored) for one in validations], weights.tolist())))
    return float(np.nanmean(found))


Weigh = Callable[[Sequence[Validation]], Floats]


def _equal(validations: Sequence[Validation]) -> Floats:
    return np.full(len(validations), 1 / len(validations))


def _inverse_pinball(validations: Sequence[Validation]) -> Floats:
    inverse = 1 / np.maximum([loss(one) for one in validations], 1e-12)
    weights: Floats = inverse / inverse.sum()
    return weights


def _greedy(validations: Sequence[Validation]) -> Floats:
    """Return the weights of forward selection with replacement, as they were where the loss was least."""
    counts = np.zeros(len(validations))
    best, kept = np.inf, counts
    for size in range(1, ROUNDS + 1):
        tries = [counts + one for one in np.eye(len(validations))]
        losses = [loss(replace(validations[0], quantiles=_mean(validations, one / size))) for one in tries]
        at = int(np.argmin(losses))
        counts = tries[at]
        if losses[at] < best:
            best, kept = losses[at], counts
    weights: Floats = kept / kept.sum()
    return weights


WEIGHINGS: dict[str, Weigh] = {EQUAL: _equal, "inverse_pinball": _inverse_pinball, "greedy": _greedy}
