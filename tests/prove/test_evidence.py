"""Evidence: how often promotions, rollbacks and reasons happen by chance, and how often for a real difference."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.prove.figures import record
from tests.training.evaluation.noise import Floats, Noise, shares_promoted
from training.data.series_set import read_series
from training.evaluation.promotion import paired_test
from training.retraining.rollback import decide_rollback
from training.service_client.live_evidence import LiveEvidence

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "retraining.md"
DRAWS, SAMPLES = 1000, 300
MONTHS = 24
YEARS = 10
"""Years of the climatology."""

NOISES = {
    "50 series, horizon 12": Noise(),
    "50 series, horizon 24": Noise(horizon=24),
    "50 series, 3 origins, horizon 12": Noise(origins=3),
    "50 series, 12 origins, horizon 1": Noise(origins=12, horizon=1),
    "50 series, horizon 12, both err alike (0.8)": Noise(agreeing=0.8),
    "50 series, 3 origins, horizon 12, series of uneven scale (σ 0.5)": Noise(origins=3, uneven=0.5),
    "50 series, 3 origins, horizon 12, errors that grow threefold": Noise(origins=3, growing=2.0),
    "50 series, 3 origins, horizon 12, heavy tails (t, 3)": Noise(origins=3, tails=3),
    "50 series, 3 origins, horizon 12, three tenths missing": Noise(origins=3, gaps=0.3),
    "50 series, 3 origins, horizon 12, skill by series (σ 0.2)": Noise(origins=3, by_series=0.2),
    "50 series, horizon 24, errors that last (0.8)": Noise(horizon=24, lasting=0.8),
    "50 series, 3 origins, horizon 12, shocks in common (0.05)": Noise(origins=3, shared=0.05),
    "50 series, 3 origins, horizon 12, shocks in common (0.3) that last (0.5)": Noise(
        origins=3, shared=0.3, lasting=0.5
    ),
    "50 series, horizon 12, shocks in common (0.5) that last (0.8)": Noise(shared=0.5, lasting=0.8),
    "366 series, 3 origins, horizon 24": Noise(series=366, origins=3, horizon=24),
    "10 series, 3 origins, horizon 12": Noise(series=10, origins=3),
    "6 series, 3 origins, horizon 24, shocks in common (0.5) that last (0.5)": Noise(
        series=6, origins=3, horizon=24, shared=0.5, lasting=0.5
    ),
    "3 series, 3 origins, horizon 12": Noise(series=3, origins=3),
    "1 series, 3 origins, horizon 24": Noise(series=1, origins=3, horizon=24),
    "1 series, horizon 12": Noise(series=1),
}


def ours(challenger: Floats, champion: Floats, groups: tuple[str, ...]) -> bool:
    """Return the decision of `paired_test`."""
    return paired_test(challenger, champion, groups=groups).lower > 0


def by_series(challenger: Floats, champion: Floats, groups: tuple[str, ...]) -> bool:
    """Return the decision of Student's test on the mean differences of the series, at the same level."""
    rows = np.nanmean(champion - challenger, axis=1)
    names = np.array(groups)
    means = [float(rows[names == name].mean()) for name in dict.fromkeys(groups)]
    return len(means) > 1 and bool(stats.ttest_1samp(means, 0.0, alternative="greater").pvalue < 0.025)


def by_bootstrap(challenger: Floats, champion: Floats, groups: tuple[str, ...]) -> bool:
    """Return the decision of the former test: a bootstrap of rows and blocks of steps, with 5 % of the means below 0."""
    difference = champion - challenger
    rows, horizon = difference.shape
    length = max(1, round(horizon ** (1 / 3)))
    generator = np.random.default_rng(len(groups))
    starts = generator.integers(0, horizon - length + 1, size=(SAMPLES, -(-horizon // length)))
    steps = (starts[:, :, None] + np.arange(length)).reshape(SAMPLES, -1)[:, :horizon]
    times = np.stack([np.bincount(one, minlength=horizon) for one in steps]).astype(float)
    drawn = generator.multinomial(rows, np.full(rows, 1 / rows), size=SAMPLES).astype(float)
    counts = times @ (~np.isnan(difference)).T.astype(float)
    means = times @ np.nan_to_num(difference).T / np.maximum(counts, 1)
    drawn = drawn * (counts > 0)
    return bool(np.quantile((drawn * means).sum(axis=1) / np.maximum(drawn.sum(axis=1), 1), 0.05) > 0)


TESTS = (ours, by_series, by_bootstrap)


@pytest.mark.timeout(3600)
def test_promotion_by_chance_and_by_skill() -> None:
    """Of challengers that are not better about one in forty is promoted, at most one in twenty in any kind of noise."""
    found = {}
    for name, noise in NOISES.items():
        chance, skill = (shares_promoted(noise, TESTS, DRAWS, better=better) for better in (0.0, 0.1))
        found[name] = [share for pair in zip(chance, skill, strict=True) for share in pair]

    record(
        "Error rates of the promotion test",
        f"{DRAWS:,} draws of the errors of two models in each kind of noise: how many challengers that are no better were "
        "promoted, and how many that are 10 % better. Beside it Student's test over series and the bootstrap that was used "
        "before. `tests/prove/test_evidence.py` writes this table.",
        {name: tuple(f"{share:.1%}" for share in shares) for name, shares in found.items()},
        PAGE,
        ("no better", "10 % better", "series alone: no better", "10 % better", "bootstrap: no better", "10 % better"),
    )
    assert max(shares[0] for shares in found.values()) <= 0.05
    assert np.median([shares[0] for shares in found.values()]) <= 0.03


def make_months(generator: np.random.Generator, series: int, skill: float, shared: float) -> tuple[Floats, Floats]:
    """Return correlated monthly errors of a model and of seasonal naive, shape (series, 24)."""

    def course(rows: int) -> Floats:
        values = generator.normal(size=(rows, MONTHS))
        for month in range(1, MONTHS):
            values[:, month] = shared * values[:, month - 1] + np.sqrt(1 - shared**2) * values[:, month]
        return values

    def field() -> Floats:
        return np.asarray(np.sqrt(1 - shared) * course(series) + np.sqrt(shared) * course(1))

    naive = field()
    errors = (1 - skill) * np.abs(np.sqrt(0.3) * naive + np.sqrt(0.7) * field())
    return errors, np.abs(naive)


def is_rolled_back(generator: np.random.Generator, series: int, skill: float, shared: float) -> bool:
    """Return whether a champion is rolled back in one of its first 24 months; the skill of the version before it was 0.3."""
    before, now = (make_months(generator, series, one, shared) for one in (0.3, skill))
    names = tuple(f"s{one:03d}" for one in range(series))

    def evidence(version: str, months: tuple[Floats, Floats], chosen: slice) -> LiveEvidence:
        errors, naive = (3 * one[:, chosen] for one in months)
        periods = tuple(f"{one:02d}" for one in range(MONTHS)[chosen])
        return LiveEvidence(version, names, periods, errors, naive, np.full_like(errors, 3.0))

    return any(
        decide_rollback(evidence("2", now, slice(count)), evidence("1", before, slice(-count, None))).roll_back
        for count in range(3, MONTHS + 1)
    )


@pytest.mark.timeout(3600)
def test_rollback_by_chance_and_for_cause() -> None:
    """Of champions that are as good as the version before them about one in twenty is rolled back within two years."""
    figures, chance = {}, []
    for series in (1, 6, 50):
        for shared in (0.0, 0.5):
            generator = np.random.default_rng(0)
            shares = [
                float(np.mean([is_rolled_back(generator, series, skill, shared) for _ in range(300)]))
                for skill in (0.3, 0.0, -0.3)
            ]
            chance.append(shares[0])
            figures[f"{series} series, shocks in common {shared:g}"] = tuple(f"{share:.1%}" for share in shares)

    record(
        "Error rates of the automatic rollback",
        "300 champions in each kind of noise, checked after 3, 4, … and 24 months; the skill of their predecessors was "
        "0.3. How many were taken back at any of these checks, by their own skill.",
        figures,
        PAGE,
        ("skill 0.3", "skill 0", "skill -0.3"),
    )
    assert max(chance) <= 0.08


def test_error_decay_by_chance() -> None:
    """The ratio of ERROR_DECAY over two years, after two years of backtest, for single series."""
    data = read_series(ROOT / "training" / "datasets" / "temperatures.csv", frequency="M")
    long = [one for one in data.series if len(one) >= YEARS * 12 + 4 * MONTHS]
    ratios = np.array([ratio for one in long for ratio in _decays(one.values)])

    record(
        "Variation of the error ratio by chance",
        f"{', '.join(one.id for one in long)}, one by one: a climatology of ten years as the model, its error over "
        "seasonal naive's in two years, divided by the same ratio in the two years before. No structural break is known.",
        {"windows": len(ratios)}
        | {f"above {limit:g}": f"{np.mean(ratios > limit):.1%}" for limit in (1.1, 1.25, 1.3, 1.5, 2.0)},
        PAGE,
    )
    assert np.mean(ratios > 1.3) <= 0.25


def _decays(values: Floats) -> list[float]:
    """Return the ratio of a series for a window of two years from each quarter on."""
    years = np.stack([values[12 * (YEARS - back) : len(values) - 12 * back] for back in range(YEARS + 1)])
    error, naive = (np.abs(years[0] - forecast) for forecast in (np.nanmean(years[1:], axis=0), years[1]))
    ratios = []
    for start in range(MONTHS, len(error) - MONTHS + 1, 3):
        now, before = slice(start, start + MONTHS), slice(start - MONTHS, start)
        skills = [np.nansum(error[part]) / np.nansum(naive[part]) for part in (now, before)]
        ratios.append(float(skills[0] / skills[1]))
    return ratios
