"""The zero-shot figures on the page are those that the command printed."""

from typing import Any

from tests.benchmarks.zero_shot import render

SCORES = {"mase": 0.9, "wql": 0.1, "sql": None, "coverage_50": 0.5, "coverage_80": 0.814, "coverage_95": None}
RELATIVE = {"mase": 0.75, "wql": 0.8, "sql": None}
SET = {
    "frequency": "M",
    "horizon": 12,
    "starter": "M",
    "series": 1200,
    "skipped": 2,
    "unscaled": 1,
    "stand_ins": 3,
    "refused": {},
    "seconds": 1.234,
}
PROVENANCE = {"commit": "0123456789abcdef", "machine": "a machine"}


def make_result(*models: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of a set
    """Return what `almanac evaluate-starter --json` prints of one set."""
    relative = dict.fromkeys(models, RELATIVE)
    one = {**SET, "models": dict.fromkeys((*models, "seasonal_naive"), SCORES), "relative": relative, **changes}
    means = {"sets": 1, **{key: SCORES[key] for key in SCORES if "coverage" in key}, "relative": relative}
    return {"provenance": PROVENANCE, "starters": "abc", "sets": {"fred": one}, "means": {"M": means, "all": means}}


def test_the_page_has_how_it_came_about_the_means_and_every_set() -> None:
    """Undefined figures are empty cells."""
    lines = render(make_result("starter", "auto_ets"), "almanac evaluate-starter sets", "2026-11-29").splitlines()

    assert lines[0].startswith(
        "`almanac evaluate-starter sets` on 2026-11-29, commit 0123456789ab, starters abc, a machine."
    )
    assert "The starter's forecasts of 1,200 series took 1 s." in lines
    assert any("for 3 series of longer seasons" in line for line in lines)
    assert "| all | 1 | 0.750 | 0.750 | 0.800 | 0.800 |  | 50% | 81% |  |" in lines
    assert (
        lines[-1]
        == "| fred | M | M | 1200 | 12 | 0.900 | 0.750 | 0.750 | 0.100 | 0.800 | 0.800 | 50% | 81% |  | 1.23 |"
    )
