"""Live figures: how a served version does, as the service measures it and GET /accuracy returns it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """The drift of one input feature.

    Attributes:
        feature: Name of the feature.
        index: Population stability index.
        inputs: Confirmed inputs that were compared with those of the training.
    """

    feature: str
    index: float
    inputs: int


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """The figures of one version over the newest scored steps.

    Attributes:
        scores: Scored steps.
        skill: 1 - MASE / MASE of seasonal naive; None if it is not known.
        coverage_80: Share of actual values in the 80 % interval; None if it is not known.
        compared_scores: Scored steps for which there is a backtest error.
        error_ratio: Live error / backtest error; None if it is not known.
        naive_ratio: The same of seasonal naive.
        drift: The feature of the confirmed inputs that drifted most; None if there are too few.
        observations: Observations that the scores rest on, counted up to 100; None if it is not known.
    """

    scores: int = 0
    skill: float | None = None
    coverage_80: float | None = None
    compared_scores: int = 0
    error_ratio: float | None = None
    naive_ratio: float | None = None
    drift: FeatureDrift | None = None
    observations: int | None = None

    @classmethod
    def from_response(cls, response: Mapping[str, Any], version: str) -> Self:
        """Return the figures of a version in a response of GET /accuracy that is grouped by version alone."""
        row, compared = (_row(rows, version) for rows in (response["rows"], response["drift"]["errors"]))
        inputs = [one for one in response["drift"]["inputs"] if one["version"] == version]
        drifts = [
            FeatureDrift(one["feature"], one["confirmed_index"], one["confirmed_inputs"])
            for one in inputs
            if one.get("confirmed_index") is not None
        ]
        return cls(
            row.get("scores", 0),
            row.get("skill"),
            row.get("coverage", {}).get("80"),
            compared.get("scores", 0),
            compared.get("ratio"),
            compared.get("naive_ratio"),
            max(drifts, key=lambda one: one.index, default=None),
            response.get("observations"),
        )


def _row(rows: list[Mapping[str, Any]], version: str) -> Mapping[str, Any]:
    return next((row for row in rows if row["version"] == version), {})
