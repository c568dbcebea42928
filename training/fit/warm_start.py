"""Warming: a champion as a candidate once more, tuned on the data at hand.

It goes on from the weights that the champion had before it learned from its own validation origins, where its run has
kept them: these have seen the least of what a candidate is now chosen and compared by, so its figures are honest. What
came after they learn again. They are tuned as a starter is (training/fit/fine_tuning.py), at a low rate, and what is served is
the mean of the weights before and after, or those after where they gain half a per cent on the validation origins: the
mean keeps what tuning alone forgets. Left as it is it would be no challenger.

Source: Wortsman et al. (2022), Robust fine-tuning of zero-shot models, CVPR.
"""

from models import artifact
from models.errors import TrainingError
from models.networks.pretrained_weights import encoder_of, pretrained_options, pretrained_weights
from models.spec import ModelOptions, ModelSpec
from training.fit.candidate import Candidate
from training.fit.candidate_files import ARTIFACT, BEFORE, read_weights
from training.fit.fine_tuning import Tuning, tune_from
from training.fit.request import FitRequest

FLATTERED = "It goes on from a network that has seen its validation origins, so its validation error is lower than it should be."


def tune_champion(request: FitRequest) -> Candidate:
    """Return the champion in the training set's folder `start`, tuned on everything in the set.

    Its learning rate is a share of the configured one; the schedules are the shortest configured.

    Raises:
        TrainingError: If there is no champion to start from.
        LossNotFinite: If a loss becomes NaN or infinite.
        DataInvalid: If there is nothing to learn from.
    """
    training_set = request.training_set
    folder = training_set.start
    if folder is None:
        raise TrainingError(
            "A warm start goes on from a champion, and there is none here.",
            hint="Train the name once without warm_start; almanac backtest has no champion at all.",
        )
    spec = ModelSpec.from_json((folder / ARTIFACT / artifact.SPEC).read_bytes())
    before = read_weights(folder / BEFORE)
    weights = pretrained_weights(folder / ARTIFACT, spec, training_set.horizon, before)
    options = pretrained_options(spec, training_set.horizon)
    known = ModelOptions(calendar=options.calendar, encoder=encoder_of(spec))
    warnings = () if before else (FLATTERED,)
    what = Tuning(weights, (options,), unchanged=False, options=known, warnings=warnings)
    return tune_from(what, request)
