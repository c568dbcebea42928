"""Window sampling: windows drawn at random over series and cutoffs, and the validation origins that choices are made on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.accuracy import scale_or_nan
from models.covariates import CovariateNames
from models.series import Series
from models.windows import Contexts, Panel, cut_contexts, cut_targets, make_panel
from training.data.eligibility import current_series, fewest_points, none_eligible, observed_ends, start_steps

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Booleans = NDArray[np.bool_]

WANTED_ORIGINS = 200
"""Validation windows wanted in all: enough for one conformal offset per step, and for a choice that is not luck."""

MOST_ORIGINS = 24
"""Origins for one series at the most."""

HELD_OUT_SHARE = 0.3
"""Share of the median series that validation may hold out at the most, where it needs more than one origin."""

HELD_OUT_HORIZONS = 3
"""Horizons that validation holds out where series are long enough: one may be a calm time or a wild one."""

SHORTENED, GAPPED, UNDATED = 0.15, 0.1, 0.1
"""Shares of training windows that lose their older part, single values, their dates: so that such series are at home."""

UNINFORMED = 0.1
"""Share of training windows that lose a covariate's history, and share that lose its future."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows and what came after them.

    Attributes:
        contexts: What the network sees.
        targets: (batch, steps, horizon) float64, NaN where unknown.
    """

    contexts: Contexts
    targets: Floats


class Windows(Protocol):
    """What training windows are drawn from."""

    def draw(self, generator: np.random.Generator, size: int) -> Batch:
        """Return random windows."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Series side by side, with the part that training may touch and the origins that it may not.

    Attributes:
        panel: Every series whole.
        seen: The panel as training may see it, NaN from each end on.
        ends: Points of each series that training may see, shape (series,).
        rows: Series of each validation origin, shape (origins,).
        cutoffs: Cutoff of each validation origin.
        scales: In-sample seasonal scale before each validation origin, the denominator of its MASE.
        times: When each validation origin was, counted in steps.
        context_length: Steps in a context.
        season_length: Steps in one season.
        horizon: Steps ahead.
        steps: Supervised steps of each training window.
    """

    panel: Panel
    seen: Panel
    ends: Indices
    rows: Indices
    cutoffs: Indices
    scales: Floats
    times: Indices
    context_length: int
    season_length: int
    horizon: int
    steps: int

    def draw(self, generator: np.random.Generator, size: int) -> Batch:
        """Return random training windows: a series, then a cutoff in it, both uniform; then some made harder.

        Supervised at several steps, a window keeps what lies before the first of them, which alone may scale it.
        """
        before = max(1, min(2 * self.season_length, self.context_length))
        earliest = np.minimum(self.ends - 1, self.steps - 1 + before)
        rows = self.usable[generator.integers(len(self.usable), size=size)]
        span = self.ends[rows] - earliest[rows]
        cutoffs = earliest[rows] + (generator.random(size) * span).astype(np.int64)
        contexts = self._cut(self.seen, rows, cutoffs)
        starts = [cutoffs - back for back in range(self.steps - 1, -1, -1)]
        targets = np.stack([cut_targets(self.seen, rows, start, self.horizon) for start in starts], axis=1)
        fewest = 1 if self.steps == 1 else min(self.steps + self.season_length, self.context_length)
        return Batch(_harden(contexts, generator, fewest), targets)

    @property
    def points(self) -> int:
        """Observed points that training may see."""
        return int(np.isfinite(self.seen.values).sum())

    @property
    def usable(self) -> Indices:
        """Series with at least one value to learn from after a first one."""
        return np.flatnonzero(self.ends > 1)

    def origins(self, most: int | None = None) -> tuple[Batch, Floats]:
        """Return the validation windows and their scales, evenly thinned to at most `most`."""
        keep = self.watched(most)
        rows, cutoffs = self.rows[keep], self.cutoffs[keep]
        contexts = self._cut(self.panel, rows, cutoffs)
        targets = cut_targets(self.panel, rows, cutoffs, self.horizon)[:, None]
        return Batch(contexts, targets), self.scales[keep]

    def watched(self, most: int | None = None) -> Indices:
        """Return the places of the validation origins that `origins` returns."""
        count = len(self.rows)
        return np.arange(count) if most is None or count <= most else np.linspace(0, count - 1, most).astype(np.int64)

    def _cut(self, panel: Panel, rows: Indices, cutoffs: Indices) -> Contexts:
        """Return the contexts of a panel at cutoffs."""
        return cut_contexts(panel, rows, cutoffs, self.context_length, self.season_length, horizon=self.horizon)

    def whole(self) -> "Dataset":
        """Return the dataset with nothing held out, for the last steps of a training."""
        return replace(self, seen=self.panel, ends=self.panel.lengths)


def make_dataset(  # noqa: PLR0913 - the lengths of a network, all of one kind
    series: Sequence[Series],
    *,
    context_length: int,
    season_length: int,
    horizon: int,
    steps: int = 1,
    origins: int | None = None,
    names: CovariateNames | None = None,
) -> Dataset:
    """Return the dataset of series, with validation origins before the last observed values.

    Where most series end together and some ended before, validation is on the former alone, and what training learns of
    the latter ends where its origins begin. Series that ended were measured while others went on: a network that
    remembers what those months were like forecasts them well, and would be chosen for what no forecast of the future has.

    Args:
        series: Histories up to the cutoff; nothing after it is here.
        context_length: Steps in a context.
        season_length: Steps in one season.
        horizon: Steps ahead.
        steps: Supervised steps of a training window.
        origins: Validation origins of each series, a step apart; None for those of `wanted_origins`.
        names: The covariates that a network reads.

    Raises:
        DataInvalid: If no series has the length, scale and values to be both learned from and validated on.
    """
    panel = make_panel(series, context_length + steps, horizon, season_length, names=names)
    starts = start_steps(series)
    search = _Search(series, panel, starts, context_length, season_length, horizon, origins)
    found = search.on(np.ones(len(series), bool))
    if not len(found.rows):
        raise none_eligible(series, found.ends, horizon, season_length)
    eligible = np.isin(np.arange(len(series)), found.rows)
    current = current_series(observed_ends(series, starts), eligible, max(horizon, season_length))
    if not current.all():
        narrowed = search.on(current)
        found = narrowed if len(narrowed.rows) else found
    columns = np.arange(panel.values.shape[1])[None, :] - panel.left
    seen = replace(panel, values=np.where(columns < found.ends[:, None], panel.values, np.nan))
    times = starts[found.rows] + found.cutoffs
    held_out = (found.ends, found.rows, found.cutoffs, found.scales, times)
    return Dataset(panel, seen, *held_out, context_length, season_length, horizon, steps)


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Validation origins, named as in `Dataset`, and the points of each series that training may see."""

    rows: Indices
    cutoffs: Indices
    ends: Indices
    scales: Floats


@dataclass(frozen=True, slots=True)
class _Search:
    """What validation origins are looked for in."""

    series: Sequence[Series]
    panel: Panel
    starts: Indices
    context_length: int
    season_length: int
    horizon: int
    origins: int | None

    def on(self, validated: Booleans) -> _HeldOut:
        """Return the origins of some of the series, none where they have no length, scale or values."""
        season, horizon = self.season_length, self.horizon
        lengths, starts = self.panel.lengths, self.starts
        back = np.arange(self.origins) if self.origins else wanted_origins(lengths[validated], horizon)
        fits = validated[:, None] & (lengths[:, None] - horizon - back[None, :] >= fewest_points(horizon, season))
        rows, places = np.nonzero(fits)
        cutoffs = lengths[rows] - horizon - back[places]
        ends = np.where(fits.any(axis=1), lengths - horizon - np.where(fits, back, 0).max(axis=1), lengths)
        if not validated.all() and len(rows):
            first = int(np.median((starts + ends)[fits.any(axis=1)]))
            ends = np.minimum(ends, np.clip(first - starts, 0, lengths))
        scales = np.array([scale_or_nan(one.values[:end], season) for one, end in zip(self.series, ends, strict=True)])
        has_values = np.isfinite(cut_targets(self.panel, rows, cutoffs, horizon)).any(axis=1)
        has_values &= np.isfinite(cut_contexts(self.panel, rows, cutoffs, self.context_length, season).context).any(
            axis=1
        )
        valid = np.isfinite(scales[rows]) & (scales[rows] > 0) & has_values
        return _HeldOut(rows[valid], cutoffs[valid], ends, scales[rows[valid]])


def wanted_origins(lengths: Indices, horizon: int) -> Indices:
    """Return the validation origins of each series, as steps before its newest, rising from 0.

    Two for every horizon held out, and more where series are few: about 200 in all, never much of a history.
    """
    spare = int(HELD_OUT_SHARE * np.median(lengths)) - horizon
    needed = min(-(-WANTED_ORIGINS // len(lengths)), MOST_ORIGINS)
    reach = int(np.clip(spare, 0, max((HELD_OUT_HORIZONS - 1) * horizon, needed - 1)))
    count = min(max(needed, 1 + 2 * reach // horizon), reach + 1)
    return np.unique(np.linspace(0, reach, count).round().astype(np.int64))


def _harden(contexts: Contexts, generator: np.random.Generator, fewest: int) -> Contexts:
    """Return the contexts, some shortened, some with gaps, some without dates; the newest `fewest` steps stay."""
    size, length = contexts.context.shape
    visible = np.where(generator.random(size) < SHORTENED, generator.integers(fewest, length + 1, size), length)
    hidden = np.arange(length)[None, :] < (length - visible)[:, None]
    chosen = np.less(generator.random((size, 1)), GAPPED)
    gapped = np.logical_and(chosen, np.less(generator.random((size, length)), GAPPED))
    gapped[:, -1] = False
    phase = np.where(generator.random(size) < UNDATED, -1, contexts.phase)
    harder = replace(
        contexts, context=np.where(hidden | gapped, np.nan, contexts.context), phase=phase.astype(np.int32)
    )
    return _uninform(harder, generator) if contexts.past_covariates is not None else harder


def _uninform(contexts: Contexts, generator: np.random.Generator) -> Contexts:
    """Return the contexts, some without a covariate's history or future: so that such requests are at home."""
    lost = {}
    for name in ("past_covariates", "future_covariates"):
        columns = getattr(contexts, name)
        if columns is not None:
            unknown = np.less(generator.random((len(columns), 1, columns.shape[2])), UNINFORMED)
            lost[name] = np.where(unknown, np.nan, columns)
    return replace(contexts, **lost)
