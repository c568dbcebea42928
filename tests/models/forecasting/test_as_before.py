"""Forecasts of a small corpus, compared with values that were stored before the path of a request was made lean."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models import artifact
from models.calendar.zoned_grid import Frequency
from models.covariates import CovariateNames
from models.errors import AlmanacError
from models.forecast import Forecast
from models.forecaster import Forecaster
from models.forecasting.request import ForecasterRequest
from models.intervals import CALIBRATED_LEVELS
from models.series import Series
from models.spec import ModelOptions
from models.starters.interleaved import InterleavedForecaster
from tests.artifacts import make_artifact

STORED = Path(__file__).parent / "as_before.json"
"""Written by `python -m tests.models.forecasting.test_as_before`."""

OFFSETS = [[round(0.4 * np.sin(step + 3 * k), 6) if k != 8 else 0.0 for k in range(17)] for step in range(12)]
"""Conformal offsets so uneven that quantiles cross."""


def forecasters(folder: Path) -> dict[str, Forecaster]:
    """Return models of several frequencies over two networks that are a seasonal naive."""
    plain = artifact.load(make_artifact(folder / "plain"))
    names = CovariateNames(("traffic",), ("price", "holidays_DE"), ("DE",))
    informed = artifact.load(make_artifact(folder / "informed", names=names))
    conformal = {"levels": list(CALIBRATED_LEVELS), "offsets": OFFSETS}

    def like(**changes: Any) -> Forecaster:  # noqa: ANN401 - any field of the spec
        return Forecaster(replace(plain.spec, **changes), plain._session)

    return {
        "plain": plain,
        "informed": informed,
        "calibrated": like(conformal=conformal),
        "nonnegative": like(options=ModelOptions(nonnegative=True), conformal=conformal),
        "starter": like(name="starter"),
        "daily": like(frequency="D", season_length=7),
        "hourly": like(frequency="h", season_length=24, conformal=conformal),
        "weekly": like(frequency="W-SUN", season_length=52),
        "business": like(frequency="B", season_length=5),
        "yearly": like(frequency="Y-DEC", season_length=1),
        "in turns": InterleavedForecaster(
            like(frequency="h", season_length=24, conformal=conformal), like(frequency="15min"), Frequency("15min")
        ),
    }


def wave(length: int, seed: int = 0, *, gaps: float = 0.0) -> list[float | None]:
    """Return a season with noise, some of it missing."""
    generator = np.random.default_rng(seed)
    values = 20 + 5 * np.sin(np.arange(length) * np.pi / 6) + generator.normal(size=length)
    missing = generator.random(length) < gaps
    return [None if gone else round(float(value), 4) for value, gone in zip(values, missing, strict=True)]


def office(length: int) -> list[float | None]:
    """Return hours of which only those from 8 to 17 on weekdays have a value; the first is a Monday's midnight."""
    values = wave(length, 9)
    return [value if h // 24 % 7 < 5 and 8 <= h % 24 < 18 else None for h, value in enumerate(values)]


def with_point(values: list[float | None], at: int, value: float) -> list[float | None]:
    """Return values of which one is another."""
    return [*values[:at], value, *values[at + 1 :]]


def counts(length: int, seed: int) -> list[float | None]:
    """Return small whole numbers."""
    return [float(one) for one in np.random.default_rng(seed).poisson(1.0, length)]


QUARTERS = {"start": "2024-02-28T10:00", "frequency": "15min"}
M = {"start": "1999-03", "frequency": "M"}
COVARIATES = {
    "past_covariates": {"traffic": wave(72, 5), "price": wave(72, 6, gaps=0.1)},
    "future_covariates": {"price": wave(30, 7)},
}
CASES: Mapping[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "months": ("plain", {"values": wave(60), **M}, {"horizon": 12}),
    "calibrated months": ("calibrated", {"values": wave(60), **M}, {"horizon": 12, "levels": (50, 80, 95)}),
    "short": ("calibrated", {"values": wave(5)}, {"horizon": 3}),
    "no dates": ("starter", {"values": wave(40, 1)}, {"horizon": 7, "levels": ()}),
    "gaps": ("calibrated", {"values": wave(90, 2, gaps=0.4), **M}, {"horizon": 9, "quantiles": (0.03, 0.97)}),
    "beyond": ("calibrated", {"values": wave(70, 3), **M}, {"horizon": 31, "levels": (80, 99.9)}),
    "levels beyond": (
        "plain",
        {"values": wave(70, 3), **M},
        {"horizon": 4, "levels": (99.9, 3), "quantiles": (0.0005,)},
    ),
    "counts": ("nonnegative", {"values": counts(64, 4), **M}, {"horizon": 14}),
    "starter counts": ("starter", {"values": counts(64, 5), **M}, {"horizon": 12}),
    "starter halves": ("starter", {"values": [0.5, *counts(63, 5)], **M}, {"horizon": 12}),
    "frost": ("nonnegative", {"values": [-30.0, *counts(80, 6)], **M}, {"horizon": 12}),
    "zeros": ("plain", {"values": [0.0] * 30, **M}, {"horizon": 6}),
    "tiny": ("calibrated", {"values": [1e-30, 2e-30] * 20 + [0.0], **M}, {"horizon": 6}),
    "sentinel clipped": ("plain", {"values": with_point(wave(60, 7), 50, -9999.0), **M}, {"horizon": 12}),
    "sentinel masked": (
        "nonnegative",
        {"values": with_point(wave(80, 7), 75, 65535.0), **M},
        {"horizon": 12, "outliers": "mask"},
    ),
    "bounds": (
        "calibrated",
        {"values": wave(60, 8), **M, "bounds": {"minimum": 18.5, "maximum": 22}},
        {"horizon": 26, "quantiles": (0.25,)},
    ),
    "quarter": ("plain", {"values": wave(60, 8), "start": "1999-03-31", "frequency": "ME"}, {"horizon": 13}),
    "office": ("hourly", {"values": office(24 * 28), "start": "2024-01-01T00:00", "frequency": "h"}, {"horizon": 24}),
    "hours in Berlin": (
        "hourly",
        {"values": wave(100, 3), "start": "2024-03-30T00:00", "frequency": "h", "timezone": "Europe/Berlin"},
        {"horizon": 12},
    ),
    "days in Berlin": (
        "daily",
        {"values": wave(100, 3), "start": "2024-03-01", "frequency": "D", "timezone": "Europe/Berlin"},
        {"horizon": 12},
    ),
    "days with steps that are missing": (
        "daily",
        {"values": [1.0, 4.0, 2.0, 5.0] * 5, "timestamps": [f"2024-01-{day:02d}" for day in [*range(1, 20), 31]]},
        {"horizon": 5},
    ),
    "Wednesdays": ("weekly", {"values": wave(60, 1), "start": "2024-01-03", "frequency": "W-WED"}, {"horizon": 12}),
    "business days": ("business", {"values": wave(60, 1), "start": "2024-01-03", "frequency": "B"}, {"horizon": 12}),
    "years": ("yearly", {"values": wave(30, 1), "start": "1901", "frequency": "Y"}, {"horizon": 8}),
    "covariates": ("informed", {"values": wave(72, 4), **M, **COVARIATES}, {"horizon": 12}),
    "covariates beyond": ("informed", {"values": wave(72, 4), **M, **COVARIATES}, {"horizon": 40, "levels": (90,)}),
    "quarter hours": ("in turns", {"values": wave(250, 2), **QUARTERS}, {"horizon": 13, "levels": (90,)}),
    "few quarter hours": ("in turns", {"values": wave(50, 2, gaps=0.2), **QUARTERS}, {"horizon": 5}),
    "no quarter hours": ("in turns", {"values": wave(250, 2), **M}, {"horizon": 5}),
    "too far": ("in turns", {"values": wave(250, 2), **QUARTERS, "start": "9999-12-29T00:00"}, {"horizon": 50}),
    "the last year": ("plain", {"values": wave(60), "start": "9995-01", "frequency": "M"}, {"horizon": 1}),
    "another frequency": ("plain", {"values": wave(60), "start": "2024-01-01", "frequency": "D"}, {"horizon": 1}),
    "nothing new": ("plain", {"values": [*wave(60), *[None] * 60]}, {"horizon": 1}),
}


def summary(outcome: Forecast | AlmanacError) -> dict[str, Any]:
    """Return what a person reads of an outcome as plain data; numbers of a step as weighted sums over their columns."""
    if isinstance(outcome, AlmanacError):
        return {"error": outcome.code, "detail": outcome.detail}
    stamps = [] if outcome.timestamps is None else outcome.timestamps[[0, -1]].astype(str).tolist()
    sides = np.array([side for one in outcome.intervals for side in (one.lower, one.upper)])
    weights = np.cos(np.arange(40))
    return {
        "id": outcome.id,
        "stamps": [*stamps, outcome.style, outcome.timezone],
        "levels": [*outcome.quantile_levels, *(one.level for one in outcome.intervals)],
        "context_used": outcome.context_used,
        "frequency": None if outcome.frequency is None else outcome.frequency.name,
        "closed": None if outcome.closed is None else np.flatnonzero(outcome.closed).tolist(),
        "repairs": [len(outcome.repairs), *(sorted({repair.code for repair in outcome.repairs}))],
        "warnings": [[one.code, one.detail, one.pointer] for one in outcome.warnings],
        "numbers": {
            "median": outcome.median.tolist(),
            "quantiles": (outcome.quantiles @ weights[: outcome.quantiles.shape[1]]).tolist(),
            "intervals": (weights[: len(sides)] @ sides).tolist() if len(sides) else [],
        },
    }


def compare(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Assert that two summaries are equal, numbers to rounding."""
    numbers, stored = (one.get("numbers", {}) for one in (found, expected))
    assert {**found, "numbers": None} == {**expected, "numbers": None}
    for name, values in stored.items():
        assert_allclose(numbers[name], values, rtol=1e-9, atol=1e-30, err_msg=name)


def outcome_of(forecaster: Forecaster, one: Series, options: Mapping[str, Any]) -> Forecast | AlmanacError:
    """Return the forecast of a series alone, or its error."""
    try:
        return forecaster.forecast([one], **options)[0]
    except AlmanacError as error:
        return error


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Forecaster]:
    """Return the corpus' models."""
    return forecasters(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    """Return the stored summaries."""
    found: dict[str, Any] = json.loads(STORED.read_text())
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_forecast_is_as_before(name: str, known: dict[str, Forecaster], stored: dict[str, Any]) -> None:
    """Numbers, dates, warnings and errors of one series alone."""
    model, fields, options = CASES[name]

    found = outcome_of(known[model], Series.make(id=name, **fields), options)

    compare(summary(found), stored[name])


@pytest.mark.parametrize("model", sorted({model for model, _, _ in CASES.values()}))
def test_requests_together_are_as_before(model: str, known: dict[str, Forecaster], stored: dict[str, Any]) -> None:
    """Requests of all kinds that share the passes of the network have the outcomes that they have alone."""
    cases = {name: case for name, case in CASES.items() if case[0] == model}
    requests = [
        ForecasterRequest([Series.make(id=name, **fields)], **options) for name, (_, fields, options) in cases.items()
    ]

    outcomes = known[model].forecast_many(requests)

    for name, found in zip(cases, outcomes, strict=True):
        compare(summary(found[0]), stored[name])


def _store() -> None:
    """Write the summaries of this tree."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        models = forecasters(Path(folder))
        found = {
            name: summary(outcome_of(models[model], Series.make(id=name, **fields), options))
            for name, (model, fields, options) in CASES.items()
        }
    STORED.write_text(json.dumps(found, ensure_ascii=False, default=float) + "\n")


if __name__ == "__main__":
    _store()
