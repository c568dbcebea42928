"""Averages: which candidates `auto` is the mean of, chosen on their validation forecasts.

Validation is noisy: the best of fifteen averages on a few hundred origins is partly luck, and a mean of few networks of
different make is seldom far from the best of them. So the mean of all *good* candidates is the rule: those whose own loss
is at most 5 % above the best one's, all with the same weight. The exception is the average, or the single candidate, of
the least loss, larger averages going before smaller ones that gain less than half a per cent; it is taken only where
choosing so on one half of the origins is better on the other half, by half a per cent as well.

On synthetic starters beside networks this is what held elsewhere: on Tourism starter and network had 1.424 and 1.394
alone, their mean 1.360; on station temperatures .776 and .671, their mean .696, so that the starter is better left out.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from training.mixture import EQUAL, MARGIN, Mixture, Weigh, align, cross_fitted_loss, loss, thinned
from training.validation import Floats, Validation

FALLEN_BEHIND = 0.05
"""A candidate whose loss is by more than this share above the best one's is no good member."""


def choose_average(validations: Mapping[str, Validation]) -> Mixture:
    """Return the equal weights of the candidates that are averaged, one of them alone where that is clearly better.

    Args:
        validations: By candidate's name, all of the same horizon and levels.

    Raises:
        DataInvalid: If no origin was forecast by all.
    """
    names, aligned = list(validations), [thinned(one) for one in align(list(validations.values()))]
    ways = {way: cross_fitted_loss(weigh, aligned) for way, weigh in WAYS.items()}
    weigh = best if ways["best"] < (1 - MARGIN) * ways["good"] else good
    weights = {name: float(one) for name, one in zip(names, weigh(aligned), strict=True) if one > 0}
    averages = {"+".join(names[place] for place in places): found for places, found in _losses(aligned).items()}
    return Mixture(EQUAL, weights, {**ways, **averages})


def good(validations: Sequence[Validation]) -> Floats:
    """Return equal weights of all whose loss is at most 5 % above the least, 0 for the others."""
    losses = np.array([loss(one) for one in validations])
    return _equal(np.flatnonzero(losses <= (1 + FALLEN_BEHIND) * losses.min()).tolist(), len(validations))


def best(validations: Sequence[Validation]) -> Floats:
    """Return equal weights of the average of least loss; a smaller one must gain half a per cent on the larger ones."""
    losses = _losses(validations)
    kept, *others = sorted(losses, key=lambda places: (-len(places), losses[places]))
    for places in others:
        if losses[places] < (1 - MARGIN) * losses[kept]:
            kept = places
    return _equal(kept, len(validations))


def _losses(validations: Sequence[Validation]) -> dict[tuple[int, ...], float]:
    """Return the loss of every average with equal weights, by its members' places."""
    places = range(len(validations))
    subsets = itertools.chain.from_iterable(itertools.combinations(places, size) for size in range(1, len(places) + 1))
    quantiles = [one.quantiles for one in validations]
    return {
        subset: loss(replace(validations[0], quantiles=np.mean([quantiles[place] for place in subset], axis=0)))
        for subset in subsets
    }


def _equal(places: Sequence[int], count: int) -> Floats:
    """Return the weights of the members at some places, 0 elsewhere."""
    weights = np.zeros(count)
    weights[list(places)] = 1 / len(places)
    return weights


WAYS: Mapping[str, Weigh] = {"good": good, "best": best}
