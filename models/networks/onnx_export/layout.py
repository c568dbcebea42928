"""Layout: the columns of a prepared window, where each value, mask, difference, drift and season position stands.

One row holds all that encoder and decoder read, so that each takes its part with one Gather:

    values | last | zero | differences | the masks of these | drift sums | drift counts

A Gather copies number by number, so it takes no more than it must: embedded season positions are rows of their own, and the
decoder reads one period of the seasons, which is then repeated.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.networks import wavenet
from models.networks.build import NetworkOptions
from models.networks.decoder import FEWEST_CHANGES, season_reaches

Index = NDArray[np.int64]

MOST_MULTIPLIED = 2**14
"""Most numbers of a matrix that gives all differences; beyond it they are cut out of the values."""

LEAST_SAVED = 200
"""Numbers for which reading one period and repeating it is worth two nodes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of the prepared windows of a network."""

    options: NetworkOptions

    @property
    def length(self) -> int:
        """Return the context's length."""
        return self.options.context_length

    @property
    def season(self) -> int:
        """Return the steps of the first season."""
        return self.options.season_length

    @property
    def seasons(self) -> tuple[int, ...]:
        """Return the network's seasons."""
        return self.options.seasons or (self.options.season_length,)

    @property
    def within(self) -> list[int]:
        """Return the seasons whose differences fit into the context."""
        return [one for one in self.seasons if one < self.length]

    @property
    def multiplies(self) -> bool:
        """Return whether values and differences are one product: few of them, of no season but the first."""
        few = self.length > 1 and (self.length + 2) * self.compared <= MOST_MULTIPLIED
        return few and self.within == [one for one in [self.season] if one < self.length]

    @property
    def compared(self) -> int:
        """Return the columns with which the scale is measured, if values and differences are one product.

        values | last | zero | a difference of each step to the season before | and to the step before | level
        """
        return self.length * (2 + len(self.within)) + 3

    @property
    def kept(self) -> list[int]:
        """Return how many of the newest differences of each of these have a column, for the encoder or for the drift."""
        if self.multiplies:
            return [self.length for _ in self.within]
        least = max(self.options.encoder_length, FEWEST_CHANGES)
        return [min(self.length - one, max(least, one)) for one in self.within]

    @property
    def averaged(self) -> list[int]:
        """Return how many of these differences the drift of each season is the mean of."""
        return [
            min(max(one, FEWEST_CHANGES), count, self.length - one)
            for one, count in zip(self.within, self.kept, strict=True)
        ]

    @property
    def period(self) -> int:
        """Return after how many steps ahead the decoder's columns are repeated; the horizon if too few are saved."""
        period, columns = math.lcm(*self.seasons), sum(self.reaches(one)[-1] for one in self.seasons)
        saved = 2 * columns * (self.options.horizon - period)
        return period if saved > LEAST_SAVED else self.options.horizon

    @property
    def repeats(self) -> bool:
        """Return whether the horizon is longer than a period."""
        return self.period < self.options.horizon

    @property
    def multiples(self) -> list[int]:
        """Return how many seasons a period reaches into, for each season that fits into the context."""
        return [-(-self.period // one) for one in self.within]

    @property
    def steps(self) -> int:
        """Return how many of the newest steps the encoder reads: a WaveNet no more than its receptive field."""
        options = self.options
        if options.architecture != "wavenet":
            return options.encoder_length
        return min(options.encoder_length, wavenet.receptive_field(options.used_dilations))

    @property
    def last(self) -> int:
        """Return the column of the last observed value."""
        return self.length

    @property
    def zero(self) -> int:
        """Return a column that is 0 and always known, so that its mask is 1."""
        return self.length + 1

    @property
    def width(self) -> int:
        """Return the number of columns from values to differences, as many as those of their masks."""
        return self.compared if self.multiplies else self.length + 2 + sum(self.kept)

    @property
    def one(self) -> int:
        """Return a column that is 1."""
        return self.width + self.zero

    def difference(self, place: int, step: int) -> int:
        """Return the column of a season's difference at a step of the context; 0 where it reaches before the context."""
        first = self.length - self.kept[place]
        known = step >= max(first, self.within[place])
        return self.length + 2 + sum(self.kept[:place]) + step - first if known else self.zero

    def drift(self, place: int, ahead: int) -> tuple[int, int]:
        """Return the columns of a season's sum of differences, times the seasons up to a step ahead, and of their count."""
        start, multiples = 2 * self.width, self.multiples
        found = start + sum(multiples[:place]) + ahead // self.within[place]
        return found, start + sum(multiples) + place

    def read_by_encoder(self) -> Index:
        """Return the columns of the encoder's channels, (steps, channels): value, mask, differences, 1."""
        rows = []
        for step in range(self.length - self.steps, self.length):
            differences = [self.difference(season, step) for season in range(len(self.within))]
            rows.append([step, self.width + step, *differences, self.one])
        return np.array(rows)

    def same_season(self, season: int, back: int, ahead: int) -> int:
        """Return the column of the value some seasons before a step ahead, `zero` if that is before the context."""
        step = self.length - season * back + ahead % season
        return step if step >= 0 else self.zero

    def read_by_decoder(self) -> Index:
        """Return the columns of each step ahead, (period, …).

        Last value, for each season the values of its steps before, the drifts; the masks or counts of all these; 1.
        """
        rows = []
        for ahead in range(self.period):
            values, masks = [self.last], [self.width + self.last]
            for season in self.seasons:
                found = [self.same_season(season, back, ahead) for back in range(1, self.reaches(season)[-1] + 1)]
                values += found
                masks += [self.zero if one == self.zero else self.width + one for one in found]
            drifts = [self.drift(place, ahead) for place in range(len(self.within))]
            values += [one for one, _ in drifts]
            masks += [one for _, one in drifts]
            rows.append([*values, *masks, self.one])
        return np.array(rows)

    def reaches(self, season: int) -> tuple[int, ...]:
        """Return the numbers of seasons of a season's means."""
        return season_reaches(self.length, season)

    @property
    def anchors(self) -> int:
        """Return the number of anchors."""
        return 2 + len(self.seasons) + sum(len(self.reaches(one)) for one in self.seasons)
