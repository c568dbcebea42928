"""Warm start: the champion as a candidate, tuned on the data at hand.

Tuning begins with the weights from before the champion learned from its own validation origins, if its run has kept them:
they have seen the least of the origins that a candidate is chosen and compared on, so the figures are honest. The served
network is the mean of the weights before and after, or those after if they gain half a per cent on the validation origins.
The champion unchanged would be no challenger. One that is blended with the starter without a season stays so.

Source: Wortsman et al. (2022), Robust fine-tuning of zero-shot models, CVPR.
"""

from models import artifact
from models.errors import TrainingError
from models.networks.pretrained_weights import encoder_of, pretrained_options, pretrained_weights
from models.spec import ModelOptions, ModelSpec
from training.fit.candidate import Candidate
from training.fit.candidate_files import ARTIFACT, BEFORE, read_weights
from training.fit.fine_tuning import Pretrained, tune
from training.fit.request import FitRequest
from training.fit.seasonless import Seasonless

FLATTERED = "The champion has seen the validation origins, so the validation error is too low."


def tune_champion(request: FitRequest) -> Candidate:
    """Return the champion in the training set's folder `start`, tuned on everything in the set.

    Raises:
        TrainingError: If there is no champion to start from.
        LossNotFinite: If a loss becomes NaN or infinite.
        DataInvalid: If there is nothing to learn from.
    """
    training_set = request.training_set
    folder = training_set.start
    if folder is None:
        raise TrainingError(
            "A warm start needs a champion, and there is none.",
            hint="Train the name once without warm_start. almanac backtest never has a champion.",
        )
    spec = ModelSpec.from_json((folder / ARTIFACT / artifact.SPEC).read_bytes())
    before = read_weights(folder / BEFORE)
    weights = pretrained_weights(folder / ARTIFACT, spec, training_set.horizon, before)
    options = pretrained_options(spec, training_set.horizon)
    known = ModelOptions(calendar=options.calendar, encoder=encoder_of(spec))
    warnings = () if before else (FLATTERED,)
    seasonless = Seasonless.of(training_set) if spec.options.blend else None
    pretrained = Pretrained(
        weights, (options,), may_stay=False, options=known, warnings=warnings, seasonless=seasonless
    )
    return tune(pretrained, request)
