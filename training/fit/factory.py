"""Making: one function for every candidate that a configuration can name."""

from typing import Any

from training.config.training import AUTO, STARTER, STARTER_TUNED, WARM_START
from training.fit.auto import make_auto
from training.fit.candidate import Candidate, TrainingSet
from training.fit.ensemble import combine_with_keras
from training.fit.fine_tuning import train_starter, tune_starter
from training.fit.network import train_candidate
from training.fit.warm_start import tune_champion


def make_candidate(training_set: TrainingSet, *, architecture: str, **question: Any) -> Candidate:  # noqa: ANN401 - handed on as it is
    """Return the candidate of a name: a network from nothing, a starter as it is or tuned, `auto`, or a champion tuned.

    Args:
        training_set: Series up to the cutoff.
        architecture: One of `training.config.training.CANDIDATES`.
        question: `name`, `seed`, `config`, `directory` and `on_epoch`, as `training.fit.network.train_candidate` takes them.

    Raises:
        AlmanacError: As the function does that makes it.
    """
    if architecture == STARTER:
        return train_starter(training_set, **question)
    if architecture == STARTER_TUNED:
        return tune_starter(training_set, **question)
    if architecture == WARM_START:
        return tune_champion(training_set, **question)
    if architecture == AUTO:
        return make_auto(training_set, fit=make_candidate, combine=combine_with_keras, **question)
    return train_candidate(training_set, architecture=architecture, **question)
