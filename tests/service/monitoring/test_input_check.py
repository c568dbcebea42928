"""Which inputs the stored observations confirm: only these make the drift that is a reason to retrain."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from models.series import Series
from service.monitoring.drift import FeatureDrift, RecentInputs
from service.monitoring.input_check import LIMIT, check_once
from service.monitoring.recent_input import FIRST_CHECK_SECONDS
from service.selector import LoadedModel
from service.store.database import Database
from service.store.observations import Calendar, Observations, upsert
from tests.service.monitoring.test_drift import make_served

SERIES, STEPS = 120, 84
MONTHS = np.arange("2018-01", "2025-01", dtype="M8[M]").astype("M8[us]")
TRUE = np.random.default_rng(1).normal(30.0, 2.0, (SERIES, STEPS))
"""Far from the training, whose level is 10; shape (series, months)."""
MADE_UP = TRUE + 5


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Return an empty database with its tables."""
    with closing(Database(database_url)) as database:
        database.migrate()
        yield database


def observe(database: Database, steps: int = STEPS) -> None:
    """Store the first months of all series."""
    names = np.repeat([f"s{at}" for at in range(SERIES)], steps).tolist()
    rows = Observations.from_rows(names, np.tile(MONTHS[:steps], SERIES), TRUE[:, :steps].ravel())
    upsert(database, rows, Calendar("M"), 0)


def send(inputs: RecentInputs, served: LoadedModel, values: Any, **changes: Any) -> None:  # noqa: ANN401 (numbers; fields)
    """Record histories of `s0`, `s1`, … that begin in 2018."""
    fields = {"start": "2018-01", "frequency": "M", **changes}
    prefix = fields.pop("prefix", "s")
    inputs.record(served, [Series.make(one, id=f"{prefix}{at}", **fields) for at, one in enumerate(values)])


def check(database: Database, inputs: RecentInputs, served: LoadedModel) -> FeatureDrift:
    """Compare all inputs with the observations, and return the drift of their level."""
    for round_ in range(2):
        check_once(database, inputs, [served], 1.0 + round_ * FIRST_CHECK_SECONDS / 2)
    ((_, found),) = inputs.drifts([served])
    return found["level"]


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        pytest.param(MADE_UP, {}, id="made up"),
        pytest.param(TRUE, {"prefix": "unknown"}, id="unknown ids"),
        pytest.param(TRUE, {"start": None, "frequency": None}, id="without dates"),
        pytest.param(TRUE, {"start": "2019-01"}, id="other dates"),
        pytest.param(TRUE[:, -12:], {"start": "2024-01"}, id="a year of seven"),
        pytest.param(TRUE[:, :70], {}, id="an old cutoff"),
        pytest.param(np.where(np.arange(STEPS) % 5 == 0, 1e9, TRUE), {}, id="a fifth made up"),
        pytest.param(TRUE[:, ::3], {"frequency": "Q"}, id="another frequency"),
    ],
)
def test_what_is_not_observed_is_shown_and_no_reason_to_retrain(
    database: Database,
    values: Any,  # noqa: ANN401 (numbers)
    changes: dict[str, Any],
) -> None:
    """As are histories of true values that are chosen for their form."""
    observe(database)
    served, inputs = make_served(), RecentInputs()

    send(inputs, served, values, **changes)
    found = check(database, inputs, served)

    assert found.index > 0.25
    assert (found.confirmed_index, found.confirmed_inputs) == (None, 0)


def test_what_agrees_with_the_observations_counts_by_the_stored_values(database: Database) -> None:
    """Also where a tenth of the values was made up; a later request of equal values stays confirmed."""
    observe(database)
    served, inputs = make_served(), RecentInputs()
    send(inputs, served, np.where(np.arange(STEPS) == STEPS - 1, 1e9, TRUE))

    first = check(database, inputs, served)
    send(inputs, served, np.where(np.arange(STEPS) == STEPS - 1, 1e9, TRUE))
    again = check(database, inputs, served)

    stored = RecentInputs()
    histories = [Series.make(one, id=f"s{at}") for at, one in enumerate(TRUE)]
    stored.record(served, histories, from_store=True)
    ((_, expected),) = stored.drifts([served])
    assert (first.confirmed_inputs, again.confirmed_inputs) == (SERIES, SERIES)
    assert first.confirmed_index == again.confirmed_index == expected["level"].confirmed_index
    assert first.confirmed_index is not None
    assert first.confirmed_index > 0.25


def test_observations_may_come_after_the_forecast(database: Database) -> None:
    """Inputs are checked again, each time after a longer pause."""
    served, inputs = make_served(), RecentInputs()
    send(inputs, served, TRUE)
    check_once(database, inputs, [served], 0.0)
    observe(database)

    soon, later = (len(inputs.unconfirmed([served], now)) for now in (4.0, 6.0))
    check_once(database, inputs, [served], 6.0)
    left = len(inputs.unconfirmed([served], 6.0))

    assert (soon, later, left) == (0, SERIES, SERIES - LIMIT)


def test_made_up_inputs_do_not_displace_confirmed_ones_of_any_process(database: Database) -> None:
    """600 of them in this process, the true ones in another; an input of both counts once."""
    observe(database)
    served, other = make_served(), RecentInputs()
    send(other, served, TRUE)
    check(database, other, served)
    inputs = RecentInputs(lambda: [other.publish([served])])
    send(inputs, served, TRUE)

    send(inputs, served, np.tile(MADE_UP, (5, 1)), prefix="unknown")
    found = check(database, inputs, served)

    assert (found.inputs, found.confirmed_inputs) == (512, SERIES)
