"""Live evidence: one version's scores by series and period, as arrays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LiveEvidence:
    """Scores of one version's served forecasts.

    Attributes:
        version: The version.
        series: Ids of the series: the rows.
        periods: Periods of the observed values, ascending: the columns.
        errors: Sums of absolute scaled errors, shape (series, periods), 0 where nothing was scored.
        naive_errors: The same sums for seasonal naive.
        scores: Numbers of scored steps, same shape.
    """

    version: str
    series: tuple[str, ...]
    periods: tuple[str, ...]
    errors: Floats
    naive_errors: Floats
    scores: Floats

    @classmethod
    def of(cls, version: str, rows: Iterable[Mapping[str, Any]]) -> Self:
        """Return the evidence from rows of GET /accuracy by series and period; rows without a scaled error are left out."""
        known = [row for row in rows if row["mase"] is not None and row["naive_mase"] is not None]
        series = tuple(sorted({row["series"] for row in known}))
        periods = tuple(sorted({row["period"] for row in known}))
        found = np.zeros((3, len(series), len(periods)))
        for row in known:
            values = np.array([row["mase"], row["naive_mase"], 1.0]) * row["scores"]
            found[:, series.index(row["series"]), periods.index(row["period"])] = values
        return cls(version, series, periods, *found)

    def only(self, series: Iterable[str]) -> Self:
        """Return the evidence of some series, in their order, and of the periods in which at least one has scores."""
        rows = np.array([self.series.index(one) for one in series], dtype=np.int64)
        kept = np.flatnonzero(self.scores[rows].any(axis=0))
        parts = (one[np.ix_(rows, kept)] for one in (self.errors, self.naive_errors, self.scores))
        return type(self)(
            self.version, tuple(self.series[row] for row in rows), tuple(self.periods[k] for k in kept), *parts
        )

    @property
    def skill(self) -> float:
        """1 - error / error of seasonal naive; NaN if the latter is 0."""
        return 1 - self.errors.sum() / self.naive_errors.sum() if self.naive_errors.sum() > 0 else float("nan")

    def residuals(self) -> Floats:
        """Return the contribution of each series and period to the skill's sampling error, shape (series, periods), sum 0."""
        return np.asarray((self.errors - (1 - self.skill) * self.naive_errors) / self.naive_errors.sum())
