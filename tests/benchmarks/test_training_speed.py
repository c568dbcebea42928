import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks import training_speed


def test_both_take_turns_at_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What slows the machine for a while slows both; the peer gets our sizes."""
    asked: list[list[str]] = []

    def answer(command: list[str], _folder: str) -> float:
        asked.append(command)
        return float(len(asked))

    monkeypatch.setattr(training_speed, "_last_number", answer)

    found = training_speed.measure(Path(sys.executable), repeats=2)

    assert (found.ours, found.theirs) == ([1.0, 3.0], [2.0, 4.0])
    work = json.loads(asked[1][-1])
    assert (work["units"], work["layers"], work["batch"], work["context"]) == (64, 2, 256, 48)


def test_what_others_take_is_what_the_machine_did_beyond_us() -> None:
    """Of two cores over 30 seconds, 60 were used and 30 of them by us; clocks that round never give less than none."""
    assert training_speed.others_share(60.0, 30.0, 30.0, 2) == 0.5
    assert training_speed.others_share(29.9, 30.0, 30.0, 2) == 0.0


def test_the_work_of_a_program_that_we_wait_for_is_ours() -> None:
    """Its processor time is counted once it has ended."""
    work = "import time\nwhile time.process_time() < 0.5: pass\nprint(1)"
    before, machine = training_speed.own_seconds(), training_speed.machine_seconds()

    training_speed._last_number([sys.executable, "-c", work], ".")

    assert training_speed.own_seconds() - before >= 0.5
    assert training_speed.machine_seconds() - machine >= 0.4


@pytest.mark.prove
@pytest.mark.usefixtures("graphs")
def test_our_speed_is_that_of_the_training_a_user_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real training, as small as can be, gives a rate."""
    for name, value in {"UNITS": 4, "LAYERS": 1, "BATCH": 8, "CONTEXT": 24}.items():
        monkeypatch.setattr(training_speed, name, value)

    assert training_speed.own_speed(steps=1, epochs=2) > 0
