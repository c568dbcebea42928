"""Study: the trials of a search on disk, used by one process at a time; interrupted trials begin again."""

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
"""Trials that must complete before others can be pruned."""

RANDOM_TRIALS = 8
"""Trials drawn at random before the sampler (a tree-structured Parzen estimator) learns from them."""

IMPORTANCE_TRIALS = 6
"""Completed trials below which no importances are computed."""

INTERRUPTED = "interrupted"


@contextmanager
def open_study(folder: Path, name: str, *, seed: int) -> Iterator["Study"]:
    """Yield the study on disk, made if missing, and lock it for this process.

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
        _give_back_interrupted(study)
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), n_startup_trials=RANDOM_TRIALS)
        yield study


def _give_back_interrupted(study: "Study") -> None:
    """Give back the trials that a killed process had begun."""
    from optuna.trial import TrialState

    for frozen in study.get_trials(states=(TrialState.RUNNING,)):
        give_back(study, frozen.number)


def give_back(study: "Study", trial: "Trial | int") -> None:
    """End an interrupted trial and queue its settings first; do nothing if the trial ended by itself."""
    from optuna.trial import TrialState

    number = trial if isinstance(trial, int) else trial.number
    frozen = study.trials[number]
    if frozen.state is not TrialState.RUNNING:
        return
    study.tell(number, state=TrialState.FAIL)
    study.enqueue_trial(frozen.params, user_attrs={"instead_of": number})


def check_same(study: "Study", identity: Mapping[str, str]) -> None:
    """Raise ConfigInvalid if a study was begun with other data or settings: its errors are not comparable.

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
    """Return the share of each setting in the spread of the errors, the largest first; empty for few or equal trials.

    Source: Hutter, Hoos & Leyton-Brown (2014), An efficient approach for assessing hyperparameter importance (fANOVA).
    """
    import optuna

    complete = [one for one in study.trials if outcome_of(one) == "complete"]
    if len(complete) < IMPORTANCE_TRIALS or len({one.value for one in complete}) == 1:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found: dict[str, float] = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return found


def to_figure(trial: "FrozenTrial") -> SearchTrial | None:
    """Return a trial for the figure, a pruned one with the error of its last epoch, or None if it has no error."""
    outcome = outcome_of(trial)
    if outcome not in {"complete", "pruned"} or trial.value is None:
        return None
    return trial.number, float(trial.value), outcome == "complete"


def outcome_of(trial: "FrozenTrial") -> str:
    """Return how a trial ended: `complete`, `pruned`, `failed`; `interrupted` if it did not end."""
    name = trial.state.name
    if name == "FAIL":
        return "failed" if "cause" in trial.user_attrs else INTERRUPTED
    return {"COMPLETE": "complete", "PRUNED": "pruned"}.get(name, INTERRUPTED)


def count_outcomes(study: "Study") -> dict[str, int]:
    """Return how many trials were `complete`, `pruned` and `failed`."""
    states = [outcome_of(one) for one in study.trials]
    return {name: states.count(name) for name in ("complete", "pruned", "failed")}


def count_trials(study: "Study") -> int:
    """Return how many trials ended by themselves, which a budget counts."""
    return sum(count_outcomes(study).values())
