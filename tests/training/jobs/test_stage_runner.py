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
from training.jobs.stage_runner import (
    Limits,
    StageCall,
    StageError,
    StageProcess,
    StageResult,
    WorkerStopped,
    resident_megabytes,
)
from training.jobs.steps import limits_of

PLENTY = Limits(60.0)


def make_call(folder: Path, stage: str, *arguments: Any) -> StageCall:  # noqa: ANN401 (any JSON)
    """Return a call of a stage."""
    return StageCall(stage, "job-1", folder / "job-1", arguments)


def fit(folder: Path, candidate: str, limits: Limits = PLENTY, stop: Event | None = None) -> list[StageResult]:
    """Run the fake fit of a candidate, and return its events."""
    events: list[StageResult] = []
    with StageProcess(stop or Event(), COMMAND) as process:
        process.run(make_call(folder, "fit", {}, {"run_id": "r1"}, candidate, []), limits, events.append)
    return events


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


def test_a_stage_reports_its_progress(tmp_path: Path) -> None:
    """Events arrive as the stage wrote them."""
    assert fit(tmp_path, "lstm") == [
        {"candidate": "lstm", "epoch": 1, "step": 10, "validation_mase": 0.9, "seconds": 0.1}
    ]


def test_stages_of_one_job_share_a_process_until_one_fails(tmp_path: Path) -> None:
    """After a failure the next stage gets a new process."""
    pids = []
    with StageProcess(Event(), COMMAND) as process:
        for candidate in ("lstm", "gru", "dies", "lstm"):
            call = make_call(tmp_path, "fit", {}, {"run_id": "r1"}, candidate, [])
            try:
                pids.append(process.run(call, PLENTY, lambda _: None)["pid"])
            except StageFailed:
                continue

    assert pids[0] == pids[1] != pids[2]
    assert all(is_gone(pid) for pid in pids)


def test_output_of_libraries_goes_to_the_log(tmp_path: Path) -> None:
    """It is not mistaken for a message of the stage."""
    fit(tmp_path, "prints")

    assert "output of a library" in (tmp_path / "job-1" / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("fails", "retryable"), [("invalid", False), (1, True)])
def test_an_error_has_its_code_and_whether_a_retry_may_help(tmp_path: Path, fails: object, retryable: object) -> None:
    """A wrong row stays wrong; a registry that is down may come back."""
    call = make_call(tmp_path, "read", {"config": {"read_fails": fails}})

    with StageProcess(Event(), COMMAND) as process, pytest.raises(StageError) as raised:
        process.run(call, PLENTY, print)

    assert raised.value.code == ("REGISTRY_UNREACHABLE" if retryable else "DATA_INVALID")
    assert raised.value.retryable is retryable


def test_a_crash_is_reported_with_its_exit_code(tmp_path: Path) -> None:
    """The stage has returned nothing."""
    with pytest.raises(StageFailed, match="exit code 3"):
        fit(tmp_path, "dies")


def test_a_stage_over_its_time_limit_is_killed(tmp_path: Path) -> None:
    """The error names the limit and its setting."""
    with pytest.raises(TimeExceeded, match=r"1 s.*timeout_seconds"):
        fit(tmp_path, "waits", Limits(1.0))

    assert is_gone(wait_for(tmp_path / "job-1" / "pid.txt"))


def test_a_stage_over_its_memory_limit_is_killed(tmp_path: Path) -> None:
    """Resident memory counts, not the address space that TensorFlow reserves; a worker sets a limit by itself."""
    with pytest.raises(MemoryExceeded, match=r"200 MB.*ALMANAC_JOB_MEMORY"):
        fit(tmp_path, "grows", limits_of({}, memory_mb=200))


def test_the_end_of_the_worker_ends_the_stage(tmp_path: Path) -> None:
    """A worker that gets SIGTERM does not wait for an epoch."""
    stop = Event()
    pids: list[int] = []

    def end() -> None:
        pids.append(wait_for(tmp_path / "job-1" / "pid.txt"))
        stop.set()

    Thread(target=end).start()
    with pytest.raises(WorkerStopped):
        fit(tmp_path, "waits", stop=stop)

    assert is_gone(pids[0])


def test_the_stage_of_a_killed_worker_ends_before_a_rerun_begins(tmp_path: Path) -> None:
    """SIGKILL of the worker leaves no orphan, and two processes never work on one job."""
    code = f"import sys; from pathlib import Path; from tests.training.jobs.test_stage_runner import fit; fit(Path({str(tmp_path)!r}), 'waits')"
    worker = subprocess.Popen([sys.executable, "-c", code])  # noqa: S603 (our own program)
    orphan = wait_for(tmp_path / "job-1" / "pid.txt")
    worker.send_signal(signal.SIGKILL)
    worker.wait()

    events = fit(tmp_path, "lstm")

    assert is_gone(orphan)
    assert events


def test_memory_is_that_of_the_whole_group() -> None:
    """Processes that a stage starts count too."""
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
