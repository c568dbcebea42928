"""Which aliases and tags a promotion and a rollback move."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from models.errors import PreviousMissing
from models.registry.champion import AliasChange, log_change, promote, rollback
from tests.models.registry.fake_registry import FakeRegistry

NOW = datetime(2026, 2, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "version", "after"),
    [
        ({"challenger": "2"}, "2", {"challenger": "2", "champion": "2"}),
        ({"champion": "1"}, "2", {"champion": "2", "previous": "1"}),
        ({"champion": "2", "previous": "1"}, "3", {"champion": "3", "previous": "2"}),
        ({"champion": "2", "previous": "1"}, "2", {"champion": "2", "previous": "1"}),
    ],
)
def test_a_promotion_makes_the_old_champion_previous(
    before: dict[str, str], version: str, after: dict[str, str]
) -> None:
    """Each alias that is set is recorded; a champion that is promoted again changes nothing."""
    registry, recorded = FakeRegistry(before), dict[str, str]()

    old = promote(registry, "rain", version, recorded.__setitem__)

    assert (old, registry.aliases) == (before.get("champion"), after)
    assert recorded == {alias: at for alias, at in after.items() if before.get(alias) != at}


def test_a_rollback_swaps_champion_and_previous() -> None:
    """Twice is as before; without a previous champion it is refused."""
    registry = FakeRegistry({"champion": "2", "previous": "1"})

    assert rollback(registry, "rain", lambda *_: None) == ("1", "2")
    assert registry.aliases == {"champion": "1", "previous": "2"}
    with pytest.raises(PreviousMissing, match="almanac promote rain VERSION"):
        rollback(FakeRegistry({"champion": "2"}), "rain", lambda *_: None)


@pytest.mark.parametrize(
    ("action", "run", "file", "tags"),
    [
        (
            "promote",
            "run-2",
            "promoted.json",
            {"promoted": "True", "promotion.forced": "True", "promotion.reason": "Calm."},
        ),
        (
            "rollback",
            "run-1",
            "rollback.json",
            {"promoted": "False", "rolled_back": "2026-02-02T00:00:00+00:00", "rollback.reason": "Calm."},
        ),
    ],
)
def test_a_change_is_logged_in_the_run_of_the_version_that_was_moved(
    action: Any,  # noqa: ANN401 (one of two literals)
    run: str,
    file: str,
    tags: dict[str, str],
) -> None:
    """Promoted or rolled back; a version without a run has no log."""
    registry = FakeRegistry({})
    change = AliasChange(action, "rain", "2", "1", NOW, reason="Calm.")

    assert log_change(registry, change) == run
    assert registry.logged == {(run, file): change.to_dict()}
    assert registry.tags == tags
    registry.get_model_version = lambda *_: SimpleNamespace(run_id=None)  # type: ignore[method-assign]
    assert log_change(registry, change) is None
