"""The starter's table says what the record says, and stands where the page has room for it."""

from typing import Any

import pytest

from tests.benchmarks import starter_page


def make_answer(
    architecture: str, models: dict[str, float], *, cutoff: str = "", origins: int = 1, **scored: int
) -> dict[str, Any]:
    """Return an answer with the errors of some rows, each on nine series unless another number is said."""
    question = {
        "file": "tourism",
        "title": "Tourism",
        "architecture": architecture,
        "published": "Tourism Monthly",
        "cutoff": cutoff,
        "settings": [],
        "origins": origins,
    }
    rows = {name: {"mase": mase, "series_scored": scored.get(name, 9)} for name, mase in models.items()}
    return {"question": question, "result": {"models": rows}}


RECORD: dict[str, Any] = {
    "answers": {
        "tourism/lstm": make_answer(
            "lstm",
            {"lstm": 1.5, "lstm/0": 1.4, "lstm/1": 1.41, "lstm/2": 1.7, "auto_ets": 1.53, "auto_theta": 0.1},
            auto_theta=8,
        ),
        "tourism/2003/lstm": make_answer("lstm", {"lstm": 0.1}, cutoff="2003-12"),
        "tourism/4 origins/lstm": make_answer("lstm", {"lstm": 0.1, "climatology": 0.1}, origins=4),
        "tourism/starter": make_answer("starter", {"starter": 1.42, "seasonal_naive": 1.63}),
        "tourism/auto": make_answer("auto", {"auto": 1.36}),
    },
    "published": {"Tourism Monthly": {"TiRex, zero-shot": {"mean_MASE": 1.449}, "DeepAR": {"mean_MASE": 1.409}}},
}


def test_each_row_is_the_best_of_its_kind() -> None:
    """Medians over seeds count; other cutoffs, older blocks and samples do not; published rows are kept apart."""
    lines = starter_page.table(RECORD).splitlines()

    assert lines[0] == "| mean MASE | Tourism |"
    assert lines[2:] == [
        "| starter, zero-shot | 1.420 |",
        "| auto | 1.360 |",
        "| best network trained on the set alone | 1.410 (lstm) |",
        "| best baseline here | 1.530 (auto_ets) |",
        "| best published zero-shot | 1.449 (TiRex) |",
        "| best published of all others | 1.409 (DeepAR) |",
    ]


def test_the_table_takes_the_old_ones_place() -> None:
    """What stands around it stays."""
    page = f"# Starter\n\n{starter_page.BEGIN}\nold\n{starter_page.END}\n\nMore.\n"

    found = starter_page.put(page, RECORD)

    assert "old" not in found
    assert found.startswith("# Starter\n")
    assert found.endswith("\n\nMore.\n")
    assert starter_page.put(found, RECORD) == found


def test_a_page_without_a_place_is_refused() -> None:
    """Figures are not dropped in silence."""
    with pytest.raises(ValueError, match="has no lines"):
        starter_page.put("# Starter\n", RECORD)
