"""Factory: the function that makes a candidate, by architecture."""

from training.config.training import AUTO, STARTER, STARTER_TUNED, WARM_START
from training.fit.auto import make_auto
from training.fit.candidate import Candidate
from training.fit.ensemble import combine_with_keras
from training.fit.network import train_candidate
from training.fit.request import FitRequest
from training.fit.starter import train_starter, tune_starter
from training.fit.warm_start import tune_champion


def make_candidate(request: FitRequest) -> Candidate:
    """Return the requested candidate: a new network, the starter as it is or tuned, `auto`, or the champion tuned.

    Raises:
        AlmanacError: As the function for the architecture does.
    """
    if request.architecture == AUTO:
        return make_auto(request, fit=make_candidate, combine=combine_with_keras)
    makers = {STARTER: train_starter, STARTER_TUNED: tune_starter, WARM_START: tune_champion}
    return makers.get(request.architecture, train_candidate)(request)
