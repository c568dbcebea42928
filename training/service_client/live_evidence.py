"""Live evidence: the service's scores of two versions, side by side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LiveEvidence:
    """How one version's served forecasts came out.

    Attributes:
        version: Which.
        series: Ids of the rows.
        periods: Of the truths, rising: the columns.
        errors: Sums of absolute scaled errors, shape (series, periods), 0 where nothing was scored.
        naive_errors: The same of seasonal naive from the same histories.
        scores: Scored steps behind them.
    """

    version: str
    series: tuple[str, ...]
    periods: tuple[str, ...]
    errors: Floats
    naive_errors: Floats
    scores: Floats

    @classmethod
    def of(cls, version: str, rows: Iterable[Mapping[str, Any]]) -> Self:
        """Return the evidence in rows of GET /accuracy by series and period; those without a scaled error are left out."""
        known = [row for row in rows if row["mase"] is not None and row["naive_mase"] is not None]
        series = tuple(sorted({row["series"] for row in known}))
        periods = tuple(sorted({row["period"] for row in known}))
        found = np.zeros((3, len(series), len(periods)))
        for row in known:
            values = np.array([row["mase"], row["naive_mase"], 1.0]) * row["scores"]
            found[:, series.index(row["series"]), periods.index(row["period"])] = values
        return cls(version, series, periods, *found)

    def only(self, series: Iterable[str]) -> Self:
        """Return the part of some series, in their order, and of the periods in which one of them was scored."""
        rows = np.array([self.series.index(one) for one in series], dtype=np.int64)
        kept = np.flatnonzero(self.scores[rows].any(axis=0))
        parts = (one[np.ix_(rows, kept)] for one in (self.errors, self.naive_errors, self.scores))
        return type(self)(
            self.version, tuple(self.series[row] for row in rows), tuple(self.periods[k] for k in kept), *parts
        )

    @property
    def skill(self) -> float:
        """1 - error / seasonal naive's error; NaN where that made none."""
        return 1 - self.errors.sum() / self.naive_errors.sum() if self.naive_errors.sum() > 0 else float("nan")

    def residuals(self) -> Floats:
        """Return what each series and period adds to the chance in the skill, shape (series, periods), 0 in sum."""
        return np.asarray((self.errors - (1 - self.skill) * self.naive_errors) / self.naive_errors.sum())
