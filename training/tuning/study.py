"""Study: the trials of a search on disk, one process at a time, taken up where they were cut off."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from models.errors import ConfigInvalid
from training.evaluation.figures import SearchTrial

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

UNPRUNED_TRIALS = 4
"""Trials that must be whole before others are measured by them."""

RANDOM_TRIALS = 8
"""Trials drawn at random before the sampler (a tree-structured Parzen estimator) learns from them."""

IMPORTANCE_TRIALS = 6
"""Whole trials below which nothing is said about importances."""

INTERRUPTED = "interrupted"


@contextmanager
def open_study(folder: Path, name: str, *, seed: int) -> Iterator["Study"]:
    """Yield the study on disk, made where there is none, held by this process alone.

    Raises:
        ConfigInvalid: If another process works on it.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        lock = FileLock(folder / f"{name}.lock", timeout=0).acquire()
    except Timeout as error:
        raise ConfigInvalid(
            f"Another process works on study {name}.", hint="Wait, or choose another with --study."
        ) from error
    with lock:
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(folder / f"{name}.journal"))),
            study_name=name,
            direction="minimize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS),
        )
        _take_up(study)
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), n_startup_trials=RANDOM_TRIALS)
        yield study


def _take_up(study: "Study") -> None:
    """Give back the trials that a killed process had begun; nobody else can hold them."""
    from optuna.trial import TrialState

    for frozen in study.get_trials(states=(TrialState.RUNNING,)):
        give_back(study, frozen.number)


def give_back(study: "Study", trial: "Trial | int") -> None:
    """End a trial that was cut off, and put its settings first in line; not where it ended by itself."""
    from optuna.trial import TrialState

    number = trial if isinstance(trial, int) else trial.number
    frozen = study.trials[number]
    if frozen.state is not TrialState.RUNNING:
        return
    study.tell(number, state=TrialState.FAIL)
    study.enqueue_trial(frozen.params, user_attrs={"instead_of": number})


def check_same(study: "Study", identity: Mapping[str, str]) -> None:
    """Refuse to go on with a study that was begun on something else: its errors mean something else.

    Args:
        study: New or old; a new one keeps the identity.
        identity: What the trials are comparable by, such as the digest of the data.

    Raises:
        ConfigInvalid: If a part differs.
    """
    for key, value in identity.items():
        before = study.user_attrs.get(key)
        if before is None:
            study.set_user_attr(key, value)
        elif before != value:
            raise ConfigInvalid(
                f"Study {study.study_name} was begun with other {key}.", hint="Name another study with --study."
            )


def measure_importances(study: "Study") -> dict[str, float]:
    """Return the share of each setting in the spread of the errors, the largest first; nothing for few or equal trials.

    Source: Hutter, Hoos & Leyton-Brown (2014), An efficient approach for assessing hyperparameter importance (fANOVA).
    """
    import optuna

    whole = [one for one in study.trials if outcome_of(one) == "complete"]
    if len(whole) < IMPORTANCE_TRIALS or len({one.value for one in whole}) == 1:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found: dict[str, float] = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return found


def as_point(trial: "FrozenTrial") -> SearchTrial | None:
    """Return a trial as the figure has it; a pruned one by its last epoch, others that were not whole not at all."""
    outcome = outcome_of(trial)
    if outcome not in {"complete", "pruned"} or trial.value is None:
        return None
    return trial.number, float(trial.value), outcome == "complete"


def outcome_of(trial: "FrozenTrial") -> str:
    """Return how a trial ended: `complete`, `pruned`, `failed`; `interrupted` if it was cut off or never begun."""
    name = trial.state.name
    if name == "FAIL":
        return "failed" if "cause" in trial.user_attrs else INTERRUPTED
    return {"COMPLETE": "complete", "PRUNED": "pruned"}.get(name, INTERRUPTED)


def count_outcomes(study: "Study") -> dict[str, int]:
    """Return how many trials were `complete`, `pruned` and `failed`."""
    states = [outcome_of(one) for one in study.trials]
    return {name: states.count(name) for name in ("complete", "pruned", "failed")}


def count_trials(study: "Study") -> int:
    """Return how many trials ended by themselves: those that a budget counts."""
    return sum(count_outcomes(study).values())
