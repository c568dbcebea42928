"""`almanac worker` with the stages of fake_stages."""

import json
import os
import sys

from training.cli.jobs import log
from training.jobs.worker import Worker
from training.jobs.worker_settings import WorkerSettings

COMMAND = (sys.executable, "-m", "tests.training.jobs.fake_stages")

if __name__ == "__main__":
    changes = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    fast = {"command": COMMAND, "first_wait": 0.05, "poll": 0.1, **changes}
    os._exit(Worker(WorkerSettings.from_environment(os.environ, **fast), log).run())
