"""Profiled service: `almanac` under cProfile, which SIGUSR1 begins and SIGUSR2 ends, and writes to ALMANAC_HOME/profile.

python -m tests.benchmarks.serving.profiled serve --port 0
"""

import cProfile
import os
import signal
from pathlib import Path

from almanac import main


def install() -> None:
    """Let two signals begin and end the profile of the main thread."""
    profile = cProfile.Profile()
    target = Path(os.environ["ALMANAC_HOME"]) / "profile"

    def end(*_: object) -> None:
        profile.disable()
        profile.dump_stats(target.with_suffix(".part"))
        target.with_suffix(".part").rename(target)

    signal.signal(signal.SIGUSR1, lambda *_: profile.enable())
    signal.signal(signal.SIGUSR2, end)


if __name__ == "__main__":
    install()
    main()
