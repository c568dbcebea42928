"""Main: the program `almanac` and `python -m almanac`, a process in which `models`, `service` and `training` are ours.

Processes that multiprocessing spawns import this file too, before anything else of ours.
"""

from almanac import names

names.claim()

from almanac.command_line import main  # noqa: E402 - its imports need the names

if __name__ == "__main__":
    main()
