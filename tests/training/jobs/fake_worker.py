"""Fake worker: `almanac worker` as it is, but for its stages, which are those of fake_child."""

import json
import os
import sys

from training.cli.worker import say
from training.jobs.settings import Settings
from training.jobs.worker import Worker

COMMAND = (sys.executable, "-m", "tests.training.jobs.fake_child")

if __name__ == "__main__":
    changes = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    quick = {"command": COMMAND, "first_wait": 0.05, "poll": 0.1, **changes}
    os._exit(Worker(Settings.from_environment(os.environ, **quick), say).run())
