"""Bodies: the prepared requests, each with other series, in the formats of the contestants."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MONTHS, HORIZON = 60, 24
QUANTILES = tuple(round(0.1 * place, 1) for place in range(1, 10))


@dataclass(frozen=True, slots=True)
class Sample:
    """Monthly series.

    Attributes:
        values: Shape (count, 60), two decimals.
        first: Place of the first series among all, so that ids differ between samples.
    """

    values: NDArray[np.float64]
    first: int = 0

    @property
    def phases(self) -> NDArray[np.int32]:
        """Return the month after each series, 0 for January, shape (count,)."""
        return ((self.first + np.arange(len(self.values)) + MONTHS) % 12).astype(np.int32)

    def part(self, rows: slice) -> "Sample":
        """Return some of the series."""
        return Sample(self.values[rows], self.first + (rows.start or 0))

    def parts(self, size: int) -> Iterator["Sample"]:
        """Yield the series in groups of `size`."""
        for at in range(0, len(self.values) - size + 1, size):
            yield self.part(slice(at, at + size))


def make_sample(count: int, seed: int = 0) -> Sample:
    """Return random monthly series, each with its own level, season and noise."""
    generator = np.random.default_rng(seed)
    level, height, shift = (generator.uniform(low, high, (count, 1)) for low, high in ((5, 500), (0.5, 3), (0, 12)))
    season = height * np.sin(2 * np.pi * (np.arange(MONTHS) + shift) / 12)
    noise = generator.normal(0, 1, (count, MONTHS))
    return Sample(np.round(level + level / 20 * (season + noise), 2))


def to_almanac(sample: Sample) -> dict[str, Any]:
    """Return the request of POST /forecast for all series of a sample."""
    series = [
        {
            "id": f"series-{place}",
            "start": f"{1960 + place % 50}-{1 + place % 12:02d}",
            "frequency": "M",
            "values": values,
        }
        for place, values in enumerate(sample.values.tolist(), start=sample.first)
    ]
    return {"series": series, "horizon": HORIZON, "quantiles": QUANTILES}


def to_tensors(sample: Sample) -> dict[str, Any]:
    """Return the inputs of the network as `mlflow models serve` takes them; the other peers take the same."""
    return {"inputs": {"context": sample.values.tolist(), "phase": sample.phases.tolist()}}


def write_bodies(path: Path, bodies: Sequence[dict[str, Any]]) -> Path:
    """Write bodies, a line each."""
    path.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in bodies), encoding="utf-8")
    return path
