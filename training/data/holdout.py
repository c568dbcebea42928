"""Holdout: where the past that a training may see ends, for each series or at one calendar date for all."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.accuracy import scale_or_nan
from models.calendar.zoned_grid import calendar_clock, timestamps_from
from models.errors import ConfigInvalid, DataInvalid, Finding
from models.series import Series
from training.data.eligibility import describe_validated

Floats = NDArray[np.float64]

NAMED = 3
"""Series that cannot be scored and are reported by name and reason; the others are counted."""

REPEATED = "its values repeat themselves, so errors have no scale"

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}([T ]\d{2}(:\d{2}){0,2})?)?)?")


@dataclass(frozen=True, slots=True)
class Cutoff:
    """One calendar date that ends the past of every series.

    Attributes:
        text: As it was written: a year, a month, a day or a time of day.
        end: First moment after what was written; a value stamped before it is past, one stamped at it is not.
    """

    text: str
    end: np.datetime64

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cutoff that ISO 8601 text means, the year, month or day that it names included.

        Raises:
            ConfigInvalid: If the text is not a date.
        """
        try:
            written = np.datetime64(text if _DATE.fullmatch(text) else "no date")
        except ValueError as error:
            hint = "Write it as 1999-12-31; 1999-12 means the whole month, 1999 the whole year."
            raise ConfigInvalid(f"The cutoff is not a date. Received: {text!r}.", hint=hint) from error
        return cls(text, (written + 1).astype("datetime64[us]"))

    def place(self, series: Series, blocks: int, horizon: int) -> int:
        """Return how many steps of a series lie before the cutoff of an origin, counted past its end too.

        Args:
            series: Whole series; one without dates has no steps before any date.
            blocks: Which origin: 1 is the date itself, each further one lies a horizon earlier.
            horizon: Steps of one origin.
        """
        if series.start is None or series.frequency is None:
            return 0
        stamps = timestamps_from(series.start, series.frequency, len(series) + blocks * horizon, series.timezone)
        walls = calendar_clock(stamps, series.frequency, series.timezone)
        return int(np.searchsorted(walls, self.end)) - (blocks - 1) * horizon


@dataclass(frozen=True, slots=True)
class Split:
    """One origin: what came before the cutoff and what happened after it.

    Attributes:
        histories: Series up to the cutoff; all that a training may see.
        targets: The held-out values of the scored series, shape (scored, horizon), NaN for a gap.
        scales: In-sample mean absolute seasonal difference of each scored history, shape (scored,).
        scored: Places in `histories` of the series that are scored.
        left_out: Why a series cannot be scored, by its id: too short, or no scale, or nothing observed on one side.
        season_length: Steps in one season.
    """

    histories: tuple[Series, ...]
    targets: Floats
    scales: Floats
    scored: tuple[int, ...]
    left_out: Mapping[str, str]
    season_length: int

    @property
    def dropped(self) -> int:
        """Series that cannot be scored."""
        return len(self.left_out)

    @property
    def horizon(self) -> int:
        """Steps held out."""
        return int(self.targets.shape[1])

    @property
    def scored_histories(self) -> tuple[Series, ...]:
        """The histories that are scored, in the order of `targets`."""
        return tuple(self.histories[place] for place in self.scored)

    def only(self, rows: Sequence[int]) -> Self:
        """Return the split with some of the scored series alone, in the order of `rows`."""
        chosen = list(rows)
        scored = tuple(self.scored[row] for row in chosen)
        return replace(self, targets=self.targets[chosen], scales=self.scales[chosen], scored=scored)


def hold_out(
    series: Sequence[Series], horizon: int, *, season_length: int, blocks: int = 1, cutoff: Cutoff | None = None
) -> Split:
    """Return the split whose targets are `horizon` points that end `(blocks - 1) * horizon` points before the last.

    The last point is that of each series, or, with a cutoff, the `horizon`-th step after one date for all. With a
    cutoff a series that does not reach so far is not scored; what it holds before the date may be learned from.

    Args:
        series: Whole series.
        horizon: Steps held out.
        season_length: Steps in one season.
        blocks: Which origin: 1 is the newest, each further one lies a horizon earlier.
        cutoff: Date after which nothing is seen; None cuts each series before its own last points.

    Raises:
        DataInvalid: If no series can be scored.
    """
    cuts = [cutoff.place(one, blocks, horizon) if cutoff else len(one) - blocks * horizon for one in series]
    whys = [
        _why_left_out(one, cut, horizon, season_length, dated=cutoff is not None)
        for one, cut in zip(series, cuts, strict=True)
    ]
    left_out = {one.id: why for one, why in zip(series, whys, strict=True) if why}
    kept = [(one, cut) for one, cut in zip(series, cuts, strict=True) if _seen(one, cut)]
    histories = tuple(one.before(cut) for one, cut in kept)
    scored = tuple(at for at, history in enumerate(histories) if history.id not in left_out)
    if not scored:
        where, other = (f" after {cutoff.text}", ", or another cutoff") if cutoff else ("", "")
        raise DataInvalid(
            f"No series can be scored on {horizon} held-out points{where}: {_name(left_out)}.",
            hint=f"Give {_remedy(left_out)}{other}.",
        )
    targets = np.array([one.values[cut : cut + horizon] for one, cut in (kept[at] for at in scored)])
    scales = np.array([scale_or_nan(histories[at].values, season_length) for at in scored])
    return Split(histories, targets, scales, scored, left_out, season_length)


def describe_left_out(split: Split) -> tuple[Finding, ...]:
    """Return how many series are not scored and why, the first few by name."""
    if not split.left_out:
        return ()
    count = split.dropped + len(split.scored)
    return (Finding("SERIES_NOT_SCORED", f"{split.dropped} of {count} series: {_name(split.left_out)}."),)


def describe_split(split: Split) -> tuple[Finding, ...]:
    """Return what is to be known of a comparison before it begins: what is not scored, and on what validation is."""
    return (*describe_left_out(split), *describe_validated(split.histories, split.horizon, split.season_length))


def _remedy(left_out: Mapping[str, str]) -> str:
    """Return what would let series be scored: length helps no series that repeats itself."""
    if REPEATED not in left_out.values():
        return "longer series or a shorter horizon"
    others = set(left_out.values()) != {REPEATED}
    return "longer series that vary, or a shorter horizon" if others else "series that vary"


def _name(left_out: Mapping[str, str]) -> str:
    named = [f"{key} ({why})" for key, why in itertools.islice(left_out.items(), NAMED)]
    more = [f"and {len(left_out) - NAMED} more"] if len(left_out) > NAMED else []
    return ", ".join([*named, *more])


def _seen(one: Series, cut: int) -> bool:
    """Return whether anything was observed before a cutoff."""
    return bool(np.isfinite(one.values[: max(cut, 0)]).any())


def _why_left_out(one: Series, cut: int, horizon: int, season_length: int, *, dated: bool) -> str:
    """Return why a series cannot be scored at a cutoff, or nothing where it can."""
    after = len(one) - cut
    if cut <= 0:
        return "begins after the cutoff" if dated else f"too short: {len(one)} points, {after} held out"
    if after < horizon:
        return f"does not reach: has {max(after, 0)} of {horizon} points after the cutoff"
    if not _seen(one, cut):
        return "nothing observed before the held-out points"
    if np.isnan(one.values[cut : cut + horizon]).all():
        return "nothing observed in the held-out points"
    history = one.before(cut)
    scale = scale_or_nan(history.values, season_length)
    if np.isnan(scale):
        return f"too short: {history.observed} observed before the held-out points"
    return "" if scale > 0 else REPEATED
