"""Synthetic series: sound, repeatable, of every kind, and made of nothing but chance."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from training.data import synthetic, synthetic_calendar, synthetic_components, synthetic_processes
from training.data.synthetic import SyntheticWindows, hide, synthesize

SEASONS = [(1,), (4,), (12,), (52,), (7, 365), (24, 168)]


@pytest.mark.parametrize("mixture", synthetic.MIXTURES)
@pytest.mark.parametrize("seasons", SEASONS)
def test_every_series_is_finite_and_most_vary(seasons: tuple[int, ...], mixture: str) -> None:
    """Whatever the seasons, a series has as many finite values as were asked for, and few are constant."""
    made = synthesize(np.random.default_rng(0), 200, 400, seasons, synthetic.MIXTURES[mixture])

    assert made.shape == (200, 400)
    assert np.isfinite(made).all()
    assert (made.std(axis=1) > 0).mean() > 0.95


def test_the_same_seed_gives_the_same_series() -> None:
    """A starter can be made again: its series are its seed's."""
    first, again, other = (synthesize(np.random.default_rng(seed), 20, 100, (12,)) for seed in (3, 3, 4))

    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_series_span_many_decades_and_both_signs() -> None:
    """Scales from hundredths to millions are at home, and so are values below zero, at zero and whole numbers."""
    made = synthesize(np.random.default_rng(1), 2000, 120, (12,))

    size = np.abs(made).max(axis=1)
    assert np.quantile(size, 0.99) / np.quantile(size, 0.05) > 1e4
    assert (made < 0).any(axis=1).mean() > 0.1
    assert (made > 0).all(axis=1).mean() > 0.3
    assert (made == np.round(made)).all(axis=1).mean() > 0.05
    assert ((made == 0).mean(axis=1) > 0.3).any()


def test_a_season_repeats_and_none_does_not() -> None:
    """Series of season 12 look like themselves a season ago, far more than series without one."""

    def likeness(seasons: tuple[int, ...]) -> float:
        made = synthesize(np.random.default_rng(2), 500, 240, seasons)
        steps = np.diff(made, axis=1)
        pairs = zip(steps[:, :-12], steps[:, 12:], strict=True)
        return float(
            np.nanmedian([np.corrcoef(one, two)[0, 1] for one, two in pairs if one.std() > 0 and two.std() > 0])
        )

    assert likeness((12,)) > 0.3
    assert abs(likeness((1,))) < 0.1


def test_windows_hide_their_past_and_gaps_but_never_their_newest_value() -> None:
    """Some windows are whole, some are short, some have gaps; what comes after is known, and there are no dates."""
    windows = SyntheticWindows((12,), 120, 24)

    batch = windows.draw(np.random.default_rng(0), 500)

    context = batch.contexts.context
    visible = (~np.isnan(context)).sum(axis=1)
    assert batch.targets.shape == (500, 1, 24)
    assert np.isfinite(batch.targets).all()
    assert np.isfinite(context[:, -1]).all()
    assert (visible == 120).mean() > 0.2
    assert (visible < 24).mean() > 0.1
    assert (batch.contexts.phase == -1).all()


def test_hiding_leaves_a_context_of_one_value_alone() -> None:
    """There is nothing to hide where there is only the newest value."""
    context = np.ones((5, 1))

    hide(np.random.default_rng(0), context, (1,))

    assert_array_equal(context, np.ones((5, 1)))


def test_windows_of_one_series_show_other_parts_of_it() -> None:
    """Several windows of a series have the values of one series, and seldom begin at the same place."""
    windows = SyntheticWindows((7,), 60, 10, windows_of_series=3)

    whole = windows._cut_windows(np.random.default_rng(0), 9)

    assert whole.shape == (9, 70)
    shared = [len(np.intersect1d(whole[0], whole[at])) for at in (1, 2, 3)]
    assert shared[0] >= 58
    assert shared[1] >= 58
    assert shared[2] < 10
    assert not np.array_equal(whole[0], whole[1])


def test_weekends_have_days_of_their_own() -> None:
    """Hours of some weeks are told apart by their day: what an hour is in the mean of all days leaves much of a week unexplained."""
    made = synthetic_calendar.calendar_series(np.random.default_rng(0), 300, 24 * 7 * 8, (24, 168))

    days = made.reshape(300, 8, 7, 24)
    week, hours = days.mean(axis=1), days.mean(axis=(1, 2))
    left = (week - hours[:, None, :]).std(axis=(1, 2)) / week.std(axis=(1, 2))
    assert (left > 0.3).mean() > 0.5
    assert (left < 0.3).mean() > 0.05


def test_levels_change_near_the_end_more_often_than_elsewhere() -> None:
    """A change of a few steps ago is what a network must learn to believe."""
    made = synthetic_calendar.late_shifts(np.random.default_rng(0), 1000, 1000)

    changes = (np.diff(made, axis=1) != 0).mean(axis=0)
    assert changes[-100:].mean() > 5 * changes[:500].mean()
    assert (changes[:500] > 0).mean() > 0.2


def test_growth_goes_on() -> None:
    """A straight line through what is seen is near what comes, far nearer than the last value, in most series."""
    made = synthetic_processes.growth(np.random.default_rng(0), 300, 60, (1,))

    time = np.arange(60)
    lines = np.array([np.polyval(np.polyfit(time[:52], one[:52], 1), time[52:]) for one in made])
    line, last = np.abs(lines - made[:, 52:]).mean(axis=1), np.abs(made[:, 51:52] - made[:, 52:]).mean(axis=1)
    assert (line < last).mean() > 0.6


def test_a_year_of_days_is_not_a_whole_number_of_them() -> None:
    """The same day of the fifth year is a day away from that of the first: a year has 365 days and about a quarter."""
    yearly = synthetic_calendar.years(np.random.default_rng(3), 200, 365 * 5, np.full((200, 1), 365.25))

    first, fifth = yearly[:, :200], yearly[:, 4 * 365 : 4 * 365 + 200]
    alike = [np.abs(first[:, 5:-5] - fifth[:, 5 + by : 195 + by]).mean() for by in (-4, 1)]
    assert alike[1] < alike[0]


def test_the_generator_reads_no_data_set() -> None:
    """Nothing here or in what is imported from the project opens a file or knows of a data set."""
    seen = {name for path in synthetic.SOURCES for name in _names(path)}

    assert seen.isdisjoint(
        {"open", "read_csv", "read_parquet", "read_series", "load", "loadtxt", "datasets", "read_text"}
    )
    assert not [name for name in seen if name.startswith(("pandas", "pyarrow", "training.data.series_set."))]


def test_the_parts_that_are_added_up_are_of_about_unit_size() -> None:
    """What adds components up decides how strong each is, so none brings a size of its own."""
    generator = np.random.default_rng(5)

    profile = synthetic_components.profiles(generator, 300, 12)
    waves = synthetic_components.waves(generator, 300, 12)
    trend = synthetic_components.trends(generator, 300, 240)

    assert np.allclose(profile[profile.std(axis=1) > 0].std(axis=1), 1.0)
    assert np.allclose(waves.std(axis=1), 1.0)
    assert_array_equal(trend[:, -1], np.zeros(300))
    assert 0.1 < np.median(np.abs(trend[:, 0])) < 3.0


def test_autoregression_is_its_equation() -> None:
    """Each value is the share of the last one that is remembered, and a shock."""
    shocks = np.random.default_rng(0).normal(size=(2, 5))

    made = synthetic_components.autoregress(shocks, np.array([0.5, 0.0]))

    assert np.allclose(made[0, 1:], 0.5 * made[0, :-1] + shocks[0, 1:])
    assert_array_equal(made[1], shocks[1])


def _names(path: Path) -> set[str]:
    """Return every name, attribute and imported module of a program."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imported += [
        f"{node.module}.{one.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for one in node.names
    ]
    assert all(name.split(".")[0] in {"numpy", "models", "training", *sys.stdlib_module_names} for name in imported)
    return names | set(imported)
