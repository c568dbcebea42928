"""Evidence: what is known of a served model, read from the figures that GET /accuracy gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.spec import ModelSpec

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and what it rests on, or why there is none.

    Attributes:
        value: The number; None where it is not known.
        about: What it was counted over, such as `over 240 scores`; where it is not known, one sentence that says why.
    """

    value: float | None
    about: str

    def __format__(self, spec: str) -> str:
        """Return the number in a format of floats, `-` where it is not known."""
        return "-" if self.value is None else format(self.value, spec)


@dataclass(frozen=True, slots=True)
class ChampionEvidence:
    """What is known of a served version.

    Attributes:
        version: Of the champion.
        skill: Live, against seasonal naive.
        coverage: Live share of truths within the 80 % interval.
        drift: The greatest population stability index of its input features.
        decay: Live error / backtest error over the same of seasonal naive: how much the model itself has aged.
        new_observations: Observations newer than its training data.
    """

    version: str
    skill: Figure
    coverage: Figure
    drift: Figure
    decay: Figure
    new_observations: Figure


def unknown_evidence(version: str, why: str) -> ChampionEvidence:
    """Return what is known of a version of which nothing could be asked: nothing, and why."""
    nothing = Figure(None, why)
    return ChampionEvidence(version, nothing, nothing, nothing, nothing, nothing)


def read_evidence(answer: Row, version: str, *, min_scores: int, new_observations: Figure) -> ChampionEvidence:
    """Return what an answer of GET /accuracy says of a version.

    Args:
        answer: With a row for the version, told apart by version alone.
        version: Of the champion.
        min_scores: Scored steps below which a figure is chance and counts as unknown.
        new_observations: Asked for elsewhere.
    """
    row = _of(answer["rows"], version)
    compared = _of(answer["drift"]["errors"], version)
    return ChampionEvidence(
        version,
        skill=_enough(row, row.get("skill"), min_scores),
        coverage=_enough(row, row.get("coverage", {}).get("80"), min_scores),
        drift=_most_drifted([one for one in answer["drift"]["inputs"] if one["version"] == version]),
        decay=_decay(compared, min_scores),
        new_observations=new_observations,
    )


def count_new_observations(count: int | None, spec: ModelSpec, why: str = "") -> Figure:
    """Return the number of observations that are newer than a model's training data.

    Args:
        count: What was counted; None where it could not be.
        spec: Of the model.
        why: Why there is no count.
    """
    if spec.trained_to is None:
        return Figure(None, "the champion's training data had no dates.")
    return (
        Figure(None, why) if count is None else Figure(count, f"the champion's training data, up to {spec.trained_to}")
    )


def _of(rows: Sequence[Row], version: str) -> Row:
    return next((row for row in rows if row["version"] == version), {})


def _enough(row: Row, value: float | None, min_scores: int) -> Figure:
    scores = row.get("scores", 0)
    if scores < min_scores:
        return Figure(None, f"{scores:,} scores in the window, {min_scores:,} are needed.")
    if value is None:
        return Figure(None, f"none of the {scores:,} scores in the window tells it.")
    return Figure(value, f"over {scores:,} scores")


def _decay(row: Row, min_scores: int) -> Figure:
    if not row:
        return Figure(None, "no scored step has a backtest to compare it with.")
    ratio, naive = row["ratio"], row["naive_ratio"]
    if ratio is None or not naive:
        return Figure(None, "the backtest has no error of the model or of seasonal naive to compare with.")
    return _enough(row, ratio / naive, min_scores)


def _most_drifted(rows: Sequence[Row]) -> Figure:
    if not rows:
        return Figure(None, "the service has seen too few inputs of this version since it started.")
    most = max(rows, key=lambda row: float(row["index"]))
    return Figure(most["index"], f"{most['feature']} ({most['inputs']:,} inputs)")
