import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from models.jobs.errors import MemoryExceeded, StageFailed, TimeExceeded
from tests.training.jobs.fake_worker import COMMAND
from training.jobs.stage_runner import Answer, Child, Limits, Refused, Stopped, Task, resident_megabytes

PLENTY = Limits(60.0)


def make_task(folder: Path, stage: str, *arguments: Any) -> Task:  # noqa: ANN401 (any JSON)
    """Return a stage of a job."""
    return Task(stage, "job-1", folder / "job-1", arguments)


def fit(folder: Path, candidate: str, limits: Limits = PLENTY, stop: Event | None = None) -> list[Answer]:
    """Run the fake fit of a candidate, and return what it told."""
    told: list[Answer] = []
    task = make_task(folder, "fit", {}, {"run_id": "r1"}, candidate)
    with Child(stop or Event(), COMMAND) as child:
        child.run(task, limits, told.append)
    return told


def is_gone(pid: int) -> bool:
    """Return whether a process has ended."""
    try:
        return "Z" in (Path("/proc") / str(pid) / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True


def wait_for(path: Path) -> int:
    """Return the process id that a fake stage writes into a file once it is there."""
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(path.read_text(encoding="utf-8"))


def test_a_stage_answers_and_tells_of_its_progress(tmp_path: Path) -> None:
    """What a child tells comes back while it works."""
    assert fit(tmp_path, "lstm") == [
        {"candidate": "lstm", "epoch": 1, "step": 10, "validation_mase": 0.9, "seconds": 0.1}
    ]


def test_stages_of_one_job_share_a_process_until_one_fails(tmp_path: Path) -> None:
    """What was loaded stays loaded; what may be broken does not."""
    pids = []
    with Child(Event(), COMMAND) as child:
        for candidate in ("lstm", "gru", "dies", "lstm"):
            task = make_task(tmp_path, "fit", {}, {"run_id": "r1"}, candidate)
            try:
                pids.append(child.run(task, PLENTY, lambda _: None)["pid"])
            except StageFailed:
                continue

    assert pids[0] == pids[1] != pids[2]
    assert all(is_gone(pid) for pid in pids)


def test_what_libraries_print_is_no_answer(tmp_path: Path) -> None:
    """It goes to the job's log."""
    fit(tmp_path, "prints")

    assert "noise of a library" in (tmp_path / "job-1" / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("fails", "mendable"), [("invalid", False), (1, True)])
def test_an_error_comes_back_with_its_code_and_whether_trying_again_may_help(
    tmp_path: Path, fails: object, mendable: object
) -> None:
    """A wrong row stays wrong; a registry that is down comes back."""
    task = make_task(tmp_path, "read", {"config": {"read_fails": fails}})

    with Child(Event(), COMMAND) as child, pytest.raises(Refused) as refused:
        child.run(task, PLENTY, print)

    assert refused.value.code == ("REGISTRY_UNREACHABLE" if mendable else "DATA_INVALID")
    assert refused.value.mendable is mendable


def test_a_child_that_dies_is_told_with_how_it_died(tmp_path: Path) -> None:
    """A crash is no silence."""
    with pytest.raises(StageFailed, match="exit code 3"):
        fit(tmp_path, "dies")


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """The limit and its setting are named, and the process is gone."""
    with pytest.raises(TimeExceeded, match=r"longer than 1 s.*timeout_seconds"):
        fit(tmp_path, "waits", Limits(1.0))

    assert is_gone(wait_for(tmp_path / "job-1" / "pid.txt"))


def test_a_child_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    """Resident memory counts, not the address space that TensorFlow reserves."""
    with pytest.raises(MemoryExceeded, match=r"of 200 MB that it may.*memory_mb"):
        fit(tmp_path, "grows", Limits(60.0, 200))


def test_the_end_of_the_worker_ends_its_child(tmp_path: Path) -> None:
    """A worker that is asked to end does not wait for an epoch."""
    stop = Event()
    pids: list[int] = []

    def end() -> None:
        pids.append(wait_for(tmp_path / "job-1" / "pid.txt"))
        stop.set()

    Thread(target=end).start()
    with pytest.raises(Stopped):
        fit(tmp_path, "waits", stop=stop)

    assert is_gone(pids[0])


def test_a_killed_workers_child_dies_with_it_and_a_rerun_waits_for_that(tmp_path: Path) -> None:
    """SIGKILL of the worker leaves no orphan, and never two at work on one job."""
    code = f"import sys; from pathlib import Path; from tests.training.jobs.test_stage_runner import fit; fit(Path({str(tmp_path)!r}), 'waits')"
    worker = subprocess.Popen([sys.executable, "-c", code])  # noqa: S603 (our own program)
    orphan = wait_for(tmp_path / "job-1" / "pid.txt")
    worker.send_signal(signal.SIGKILL)
    worker.wait()

    told = fit(tmp_path, "lstm")

    assert is_gone(orphan)
    assert told


def test_memory_is_that_of_the_whole_group() -> None:
    """What a stage's own helpers take counts too."""
    program = "import subprocess, sys; kept = bytearray(b'1' * 10**8); sys.stdout.write('.'); sys.stdout.flush(); sys.stdin.read()"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])"
    with subprocess.Popen(  # noqa: S603 (our own program)
        [sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        used = resident_megabytes(process.pid)
        os.killpg(process.pid, signal.SIGKILL)

    assert used > 100
