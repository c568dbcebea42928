"""Layout: the columns of a prepared window, where each value, mask, difference, drift and season position stands.

One row holds all that encoder and decoder read, so that each takes its part with one Gather:

    values | last | zero | differences | the masks of these | drift sums | drift counts | past seasons | target seasons
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.networks import wavenet
from models.networks.build import NetworkOptions
from models.networks.decoder import EMBEDDING, FEWEST_CHANGES, season_reaches

Index = NDArray[np.int64]


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
    def kept(self) -> list[int]:
        """Return how many of the newest differences of each of these are read, by the encoder or for the drift."""
        least = max(self.options.encoder_length, FEWEST_CHANGES)
        return [min(self.length - one, max(least, one)) for one in self.within]

    @property
    def averaged(self) -> list[int]:
        """Return how many of these differences the drift of each season is the mean of."""
        return [min(max(one, FEWEST_CHANGES), count) for one, count in zip(self.within, self.kept, strict=True)]

    @property
    def multiples(self) -> list[int]:
        """Return how many seasons the horizon reaches into, for each season that fits into the context."""
        return [-(-self.options.horizon // one) for one in self.within]

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
        return self.length + 2 + sum(self.kept)

    @property
    def one(self) -> int:
        """Return a column that is 1."""
        return self.width + self.zero

    def difference(self, place: int, step: int) -> int:
        """Return the column of a season's difference at a step of the context; 0 where it reaches before the context."""
        first = self.length - self.kept[place]
        return self.length + 2 + sum(self.kept[:place]) + step - first if step >= first else self.zero

    def drift(self, place: int, ahead: int) -> tuple[int, int]:
        """Return the columns of a season's sum of differences, times the seasons up to a step ahead, and of their count."""
        start, multiples = 2 * self.width, self.multiples
        found = start + sum(multiples[:place]) + ahead // self.within[place]
        return found, start + sum(multiples) + place

    @property
    def calendar(self) -> int:
        """Return the first column of the embedded season positions."""
        return 2 * self.width + sum(self.multiples) + len(self.within)

    def read_by_encoder(self) -> Index:
        """Return the columns of the encoder's channels, (steps, channels): value, mask, differences, season position, 1."""
        rows = []
        for place, step in enumerate(range(self.length - self.steps, self.length)):
            differences = [self.difference(season, step) for season in range(len(self.within))]
            start = self.calendar + place * EMBEDDING
            season = range(start, start + EMBEDDING) if self.options.calendar else ()
            rows.append([step, self.width + step, *differences, *season, self.one])
        return np.array(rows)

    def same_season(self, season: int, back: int, ahead: int) -> int:
        """Return the column of the value some seasons before a step ahead, `zero` if that is before the context."""
        step = self.length - season * back + ahead % season
        return step if step >= 0 else self.zero

    def read_by_decoder(self) -> Index:
        """Return the columns of each step ahead, (horizon, …).

        Last value, for each season the values of its steps before, the drifts; the masks or counts of all these; 1; the
        season position.
        """
        rows = []
        for ahead in range(self.options.horizon):
            values, masks = [self.last], [self.width + self.last]
            for season in self.seasons:
                found = [self.same_season(season, back, ahead) for back in range(1, self.reaches(season)[-1] + 1)]
                values += found
                masks += [self.zero if one == self.zero else self.width + one for one in found]
            drifts = [self.drift(place, ahead) for place in range(len(self.within))]
            values += [one for one, _ in drifts]
            masks += [one for _, one in drifts]
            start = self.calendar + (self.steps + ahead) * EMBEDDING
            season_position = range(start, start + EMBEDDING) if self.options.calendar else ()
            rows.append([*values, *masks, self.one, *season_position])
        return np.array(rows)

    def reaches(self, season: int) -> tuple[int, ...]:
        """Return the numbers of seasons of a season's means."""
        return season_reaches(self.length, season)

    @property
    def anchors(self) -> int:
        """Return the number of anchors."""
        return 2 + len(self.seasons) + sum(len(self.reaches(one)) for one in self.seasons)
