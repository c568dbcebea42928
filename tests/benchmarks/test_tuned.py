"""Each candidate has a table of its own sets, relative to the starter asked the same."""

from typing import Any

from tests.benchmarks.tuned import render

ASKED = {"max_series": 40, "seconds": 40.0, "max_steps": 150}


def found(name: str, candidate: str, mase: float | None, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    """Return a finding as the results file keeps it."""
    scores = None if mase is None else {"mase": mase, "wql": 0.5 * mase}
    asked = {"asked": ASKED | asked}
    return asked | {
        "set": name,
        "frequency": "M",
        "candidate": candidate,
        "scores": scores,
        "series": 40,
        "chosen": "why",
    }


def test_a_candidate_is_compared_on_its_own_sets() -> None:
    """A set where it could not be trained has its cause and does not count."""
    findings = (
        found("a", "starter", 2.0),
        found("a", "starter_tuned", 1.0),
        found("a", "starter", 2.0, processor=True),
        found("a", "auto", 2.1, processor=True),
        found("b", "starter", 4.0),
        found("b", "starter_tuned", None),
    )

    page = render({str(place): one for place, one in enumerate(findings)}, "2026-11-30")

    assert "`starter_tuned`: geometric mean 0.500 of the starter's MASE and 0.500 of its WQL over 1 sets" in page
    assert "`auto`: geometric mean 1.050 of" in page
    assert "worst MASE 1.050, 1 above 1.02." in page
    assert "| a | M | 40 | 40 of the processor | 150 | 2.000 | 1.050 | 1.050 | why |" in page
    assert "| b | M | 40 | 40 | 150 | 4.000 |  |  | why |" in page
    assert page.count("| a |") == 2
