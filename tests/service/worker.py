"""Worker: a program that runs fake jobs from the real queue, for the tests of the jobs' responses."""

import os
import select
import subprocess
import sys
from pathlib import Path

from models.jobs.names import APPLICATION, APPLICATION_VERSION, PROGRESS, QUEUE, SUMMARY, WORKFLOW

TIMEOUT_SECONDS = 60.0

PROGRAM = f"""
import sys, threading, time
from dbos import DBOS, DBOSPortableJSONSerializer

def read():
    return {{"series": 3}}

def fit(name):
    if name == "broken":
        raise ValueError("postgresql://me:secret@db/mlflow does not answer")
    return {{}}

@DBOS.workflow(name="{WORKFLOW}")
def retrain(scheduled_at, request):
    name = request["name"]
    DBOS.run_step({{"name": "read"}}, read)
    summary = {{"run_id": "r1", "experiment_id": "1", "run_url": "http://me:secret@mlflow/#/experiments/1/runs/r1"}}
    DBOS.set_event("{SUMMARY}", {{**summary, "decision": None, "version": None}})
    DBOS.set_event("{PROGRESS}", {{"step": "fit warm_start", "attempt": 1, "epoch": 2}})
    if name == "endless":
        print("endless", flush=True)
        threading.Event().wait()
    DBOS.run_step({{"name": "fit warm_start"}}, fit, name)
    if name == "idle":
        return {{"decision": {{"retrain": False, "reasons": []}}}}
    return {{"decision": {{"promote": name == "better", "reason": "said"}}, "version": "7", "reason": "INPUT_DRIFT", "judgement": {{"retrain": True}}, **summary}}

DBOS(config={{
    "name": "{APPLICATION}", "system_database_url": sys.argv[1], "application_version": "{APPLICATION_VERSION}",
    "executor_id": "trainer-1", "serializer": DBOSPortableJSONSerializer(), "run_admin_server": False,
}})
DBOS.launch()
DBOS.register_queue("{QUEUE}", polling_interval_sec=0.1)
print("launched", flush=True)
while DBOS.list_workflows(status=["ENQUEUED"]) or len(DBOS.list_workflows(status=["PENDING"])) > 1:
    time.sleep(0.05)
print("done", flush=True)
threading.Event().wait()
"""


def run_jobs(url: str) -> None:
    """Run every queued job; the worker is killed during that of the model `endless`."""
    program = [sys.executable, "-c", PROGRAM, url]
    log = Path(url.removeprefix("sqlite:///")).with_name("worker.log")
    with log.open("w") as errors:
        process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=errors, env=dict(os.environ))  # noqa: S603
    try:
        printed = _listen(process)
    finally:
        process.kill()
        process.communicate()
    assert {"endless", "done"} <= printed, f"{printed}: {log.read_text()[-2000:]}"


def _listen(process: "subprocess.Popen[bytes]") -> set[str]:
    assert process.stdout is not None
    printed: set[str] = set()
    while not {"endless", "done"} <= printed:
        if not select.select([process.stdout], [], [], TIMEOUT_SECONDS)[0] or not (line := process.stdout.readline()):
            break
        printed.add(line.decode().strip())
    return printed
