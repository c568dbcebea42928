"""Warming: a champion as a candidate once more, tuned on the data at hand.

It goes on from the weights that the champion had before it learned from its own validation origins, where its run has
kept them: these have seen the least of what a candidate is now chosen and compared by, so its figures are honest. What
came after they learn again. They are tuned as a starter is (training/fit/fine_tuning.py), at a low rate, and what is served is
the mean of the weights before and after, or those after where they gain half a per cent on the validation origins: the
mean keeps what tuning alone forgets. Left as it is it would be no challenger.

Source: Wortsman et al. (2022), Robust fine-tuning of zero-shot models, CVPR.
"""

from pathlib import Path

from models import artifact
from models.errors import TrainingError
from models.networks.pretrained_weights import encoder_of, starting_options, starting_weights
from models.spec import ModelSpec
from training.config.fit import FitConfig
from training.config.training import WARM_START
from training.fit.candidate import Candidate, TrainingSet
from training.fit.candidate_files import ARTIFACT, BEFORE, read_weights
from training.fit.export import Label
from training.fit.fine_tuning import Tuning, tune_from
from training.fit.loop import Watch

FLATTERED = "It goes on from a network that has seen its validation origins, so its validation error is lower than it should be."


def tune_champion(  # noqa: PLR0913 - the contract of the pipeline, one argument a decision
    training_set: TrainingSet, *, name: str, seed: int, config: FitConfig, directory: Path, on_epoch: Watch
) -> Candidate:
    """Return the network that a training set says to start from, tuned on everything in the set.

    Args:
        training_set: Series up to the cutoff, and with `start` the folder to go on from.
        name: What the model will be registered as.
        seed: Of the windows.
        config: How to fit; its rate is taken a share of, of its schedules the shortest.
        directory: Where the artifact goes; made if missing.
        on_epoch: Called after every epoch.

    Raises:
        TrainingError: If there is nothing to start from.
        LossNotFinite: If a loss becomes NaN or infinite.
        DataInvalid: If there is nothing to learn from.
    """
    folder = training_set.start
    if folder is None:
        raise TrainingError(
            "A warm start goes on from a champion, and there is none here.",
            hint="Train the name once without warm_start; almanac backtest has no champion at all.",
        )
    spec = ModelSpec.from_json((folder / ARTIFACT / artifact.SPEC).read_bytes())
    before = read_weights(folder / BEFORE)
    weights = starting_weights(folder / ARTIFACT, spec, training_set.horizon, before)
    options = starting_options(spec, training_set.horizon)
    known = {"calendar": options.calendar, "encoder": encoder_of(spec)}
    warnings = () if before else (FLATTERED,)
    label = Label(name, WARM_START, seed, directory)
    what = Tuning(weights, (options,), label, unchanged=False, options=known, warnings=warnings)
    return tune_from(what, training_set, config, on_epoch)
