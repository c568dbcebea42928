"""ComparisonPlan: the data of a comparison, its origins and its candidates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from models.errors import TrainingError
from training.config.training import ARCHITECTURES, WARM_START, TrainConfig
from training.data.eligibility import refuse_short
from training.data.holdout import Split
from training.data.series_options import SeriesOptions
from training.data.series_set import SeriesSet, read_series
from training.evaluation.leakage import unseen_by
from training.evaluation.rolling_origins import Origins, roll_origins
from training.pipeline.candidates import candidate_names
from training.pipeline.champion import BACKTESTED, SERVED, ChampionLookup, choose_warm_start
from training.pipeline.task import TrainingTask
from training.progress import Progress


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """What is fitted and where it is compared.

    Attributes:
        task: Configuration, data and origins.
        candidates: Names of the candidates in the order in which they are fitted.
        left_out: By architecture, why it is not a candidate.
        champion_state: The champion takes part as it is `served` or as it was `backtested`.
        notes: What a reader of the decision should know about the origins.
    """

    task: TrainingTask
    candidates: tuple[str, ...]
    left_out: Mapping[str, str]
    champion_state: str
    notes: tuple[str, ...]


def read_data(config: TrainConfig, progress: Progress) -> SeriesSet:
    """Return the series of a file, implausible values as gaps, and report what it contains."""
    data = read_series(
        config.data,
        frequency=config.frequency,
        columns=config.columns,
        covariates=config.covariates,
        reading=SeriesOptions(config.missing, "mask"),
    )
    progress.report(
        f"{data.path}: {len(data.series)} series, {data.observed} observations, frequency {data.frequency.name}, "
        f"{data.layout} layout, digest {data.digest[:12]}"
    )
    progress.report_findings(data.findings)
    return data


def plan_comparison(config: TrainConfig, data: SeriesSet, found: ChampionLookup, folder: Path) -> ComparisonPlan:
    """Return the origins and candidates of a comparison.

    Raises:
        DataInvalid: If the series are too short for the horizon.
        TrainingError: If no candidate can be fitted.
    """
    season = data.frequency.season_length
    rolled = roll_origins(data.series, config.horizon, season_length=season, wanted=config.retrain.origins)
    splits, state, notes = _unseen_origins(rolled, found)
    if {*config.architecture} <= {*ARCHITECTURES}:  # a starter needs no history to learn from
        refuse_short(splits[-1].histories, config.horizon, season)
    task, left_out = TrainingTask(config, data, splits), dict[str, str]()
    if WARM_START in config.architecture:
        try:
            task = replace(task, warm_start=choose_warm_start(found, task, folder))
        except TrainingError as error:
            left_out[WARM_START] = str(error)
    return ComparisonPlan(task, tuple(candidate_names(config, left_out)), left_out, state, notes)


def _unseen_origins(rolled: Origins, found: ChampionLookup) -> tuple[tuple[Split, ...], str, tuple[str, ...]]:
    """Return the origins whose blocks the champion has not seen, its state in the comparison, and notes.

    The champion takes part in the state that leaves more origins; as it is served if both leave as many. If it has seen
    all of them in both states, all are taken, which can only favour it.
    """
    champion, wanted = found.champion, len(rolled.splits)
    if champion is None:
        return rolled.splits, SERVED, rolled.notes
    states = [SERVED, *([BACKTESTED] if champion.backtested else [])]
    counts = {state: len(unseen_by(rolled, champion.seen(state))) for state in states}
    best = max(states, key=lambda state: counts[state])
    if not counts[best]:
        return rolled.splits, SERVED, rolled.notes
    fewer = f"{counts[best]} of {wanted} origins: the champion was trained on the blocks of the others."
    notes = (fewer,) if counts[best] < wanted else ()
    return rolled.splits[: counts[best]], best, (*rolled.notes, *notes)
