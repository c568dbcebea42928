"""Check docker-compose.yml by running it, without a container engine: `python -m deploy.check`.

Every container runs as a local process with the command, environment, health check, user, volumes and read-only root of
docker-compose.yml; deploy/composition/places.py has all that differs. A network is trained, observations are posted, a
retraining runs, and each container is killed once while clients forecast and post. Exit code 0: every promise was kept.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.composition.compose import CompositionInvalid, containers, load, required_variables
from deploy.composition.images import ABSENT
from deploy.composition.places import choose
from deploy.composition.running import Composition, CompositionFailed, composition
from deploy.resilience import ResilienceCheck

ONE_SHOT = ("training",)
"""Services that only `docker compose run` starts."""


def main(arguments: list[str] | None = None) -> int:
    """Run the check, print a table of what was done, and return the exit code."""
    parser = argparse.ArgumentParser(prog="deploy.check", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="keep the folder of logs and volumes")
    options = parser.parse_args(arguments)
    if shutil.which("bwrap") is None:
        print("bubblewrap is missing: run deploy/debian.sh.", file=sys.stderr)
        return 2
    with folder(keep=options.keep) as place:
        try:
            with started(place) as running:
                rows = ResilienceCheck(running).run()
        except (CompositionFailed, CompositionInvalid) as error:
            print(f"failed: {error}", file=sys.stderr)
            return 1
    return report(rows)


@contextmanager
def folder(*, keep: bool) -> Iterator[Path]:
    """Yield a new folder, removed at the end unless it is kept."""
    place = Path(tempfile.mkdtemp(prefix="almanac-check-"))
    try:
        yield place
    finally:
        if keep:
            print(f"Logs and volumes are in {place}.")
        else:
            shutil.rmtree(place)


@contextmanager
def started(place: Path, *, without: tuple[str, ...] = ()) -> Iterator[Composition]:
    """Yield the composition with every container started and healthy."""
    environment = {name: secrets.token_hex(20) for name in required_variables()}
    found = containers(load(environment), environment)
    names = [name for name, one in found.items() if one.image.name not in ABSENT and one.service not in ONE_SHOT]
    with composition(found, choose(place, found)) as running:
        began = time.monotonic()
        running.start_all([name for name in names if name not in without], lambda name: print(f"starting {name} …"))
        print(f"all healthy after {time.monotonic() - began:.0f} s")
        yield running


def report(rows: list[tuple[str, str, bool]]) -> int:
    """Print a table of the steps and their results; return 0 if every promise was kept."""
    width = max(len(what) for what, _, _ in rows)
    for what, came, kept in rows:
        print(f"{'ok  ' if kept else 'FAIL'} {what:<{width}}  {came}")
    return 0 if all(kept for _, _, kept in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
