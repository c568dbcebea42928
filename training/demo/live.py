"""Live demo: years of real temperatures replayed against a running service, through a break that is made, to recovery."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from models.errors import ServiceUnreachable
from training.config.toml import merge, read_config
from training.demo.events import Event, Verdict, judge_recovery
from training.demo.live_scenario import SCHEDULE, Listener, Story, play
from training.demo.live_service import LiveService, Row
from training.demo.replay import Plan, World, read_world, write_early
from training.demo.timeline import break_line, line_of, progress_line
from training.processes import LOOPBACK, ChildFailed, ChildProcess, free_port, running

HERE = Path(__file__).parents[1]
CONFIG = HERE / "configs" / "live.toml"
TEMPERATURES = HERE / "datasets" / "temperatures.csv"
MODEL = "temperatures"
FIRST = ("--no-refit", "--set", "fit.validation_origins=12")
"""Of the first model: it is served as it was backtested, and its intervals and the profile of its inputs are of a whole year."""

PICTURE, EVENTS = "live.png", "events.jsonl"

READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story is played.

    Attributes:
        home: Folder of everything that is written; of this story alone.
        console: For people.
        port: Of the service; the next free one is taken.
        config: Of the trainings, a TOML file.
        as_json: Whether events go to standard output as lines of JSON.
    """

    home: Path
    console: Console
    port: int = 8000
    config: Path = CONFIG
    as_json: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """What every program gets: this home alone, whatever databases and keys the user's own settings name."""
        return {
            "ALMANAC_HOME": str(self.home),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.home / 'mlflow.db'}",
            "ALMANAC_DATABASE_URL": f"sqlite:///{self.home / 'almanac.db'}",
            "ALMANAC_JOBS_URL": f"sqlite:///{self.home / 'jobs.db'}",
            "ALMANAC_API_KEYS": "",
            "ALMANAC_API_KEY": "",
            "ALMANAC_MODEL": MODEL,
            "ALMANAC_LEDGER": "on",
            "ALMANAC_POLL_SECONDS": "0.5",
            "ALMANAC_WORKER_ID": "live-demo",
            "ALMANAC_WATCH_CRON": "off",
        }

    def say(self, text: str) -> None:
        """Print a line for people."""
        self.console.print(text, soft_wrap=True)


def fresh_home(home: Path, now: datetime) -> Path:
    """Make and return a folder of its own under a home, so that no registry or observation of a user is touched.

    Raises:
        ChildFailed: If it is there already.
    """
    folder = home / "live" / f"{now:%Y-%m-%d-%H%M%S}"
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise ChildFailed(f"{folder} is there already.", hint="Start again in a second.") from error
    return folder


def live(stage: Stage, plan: Plan) -> Verdict:
    """Train, serve, replay month by month, and return whether live accuracy recovered from the break.

    Raises:
        ChildFailed: If the training, the service, the worker or a job fails.
    """
    began, world = time.monotonic(), read_world(TEMPERATURES, plan.broken)
    stations = world.reporting([*plan.history[-plan.horizon :], *plan.months])
    stage.say(f"All of this is written to {stage.home}, and to nothing else.")
    train_first(stage, world, stations, plan)
    with service(stage) as served, worker(stage, served.address) as working:
        served.wait_until_ready("/health/ready", READY_SECONDS)
        api = LiveService(served.address, MODEL, plan.horizon)
        begin(stage, plan, api, list(world.rows(stations, plan.history)))
        story = Story(plan, listener_of(stage, plan, (served, working)))
        try:
            play(story, api, world, stations)
        except (ChildFailed, ServiceUnreachable):
            served.check()
            working.check()
            raise
    return finish(stage, story, world, stations[0], time.monotonic() - began)


def train_first(stage: Stage, world: World, stations: Sequence[str], plan: Plan) -> None:
    """Train and register the first model on all that the stations measured before the first month.

    Raises:
        ChildFailed: If the training failed; with the end of its log.
    """
    data, log = stage.home / "early.csv", stage.home / "logs" / "train.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    values = write_early(world, stations, plan.first, data)
    stage.say(f"A first model learns from {values} real months before {plan.first} (its log: {log}).")
    command = [sys.executable, "-m", "almanac", "train", str(stage.config), "--data", str(data), *FIRST]
    with log.open("wb") as output:
        result = subprocess.run(  # noqa: S603 our own command
            [*command, "--seed", str(plan.seed)],
            env={**os.environ, **stage.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
        raise ChildFailed(f"The training ended with exit code {result.returncode}.\n{end}", hint=f"See {log}.")


@contextmanager
def service(stage: Stage) -> Iterator[ChildProcess]:
    """Serve on loopback while the block lasts."""
    port = free_port(stage.port)
    command = [sys.executable, "-m", "almanac", "serve", "--host", LOOPBACK, "--port", str(port)]
    address, log = f"http://{LOOPBACK}:{port}", stage.home / "logs" / "service.log"
    with running("The service", command, address=address, log=log, environment=stage.environment) as child:
        stage.say(f"The service answers on {address}.")
        yield child


@contextmanager
def worker(stage: Stage, address: str) -> Iterator[ChildProcess]:
    """Have a worker take the service's jobs while the block lasts."""
    command, log = [sys.executable, "-m", "almanac", "worker"], stage.home / "logs" / "worker.log"
    environment = {**stage.environment, "ALMANAC_SERVICE_URL": address}
    with running("The worker", command, address="", log=log, environment=environment) as child:
        yield child


def begin(stage: Stage, plan: Plan, api: LiveService, rows: list[Row]) -> None:
    """Tell the service the years before the first month, and make the schedule."""
    known, names = api.observe(rows), sorted({row["id"] for row in rows})
    stage.say(f"It is told {known} values from before {plan.first}: {', '.join(names)}.")
    config = merge(read_config(stage.config), {"data": "service", "seed": plan.seed})
    cron = f"0 3 1 {plan.tick_month} *"
    api.schedule(SCHEDULE, cron, config)
    stage.say(f"Schedule {SCHEDULE} ({cron}) retrains where a reason holds; here the replay's years make it tick.")


def listener_of(stage: Stage, plan: Plan, children: Sequence[ChildProcess] = ()) -> Listener:
    """Return what tells events as they come: lines for people, and JSON alone on standard output where asked for.

    Args:
        stage: Where it is told.
        plan: What is replayed.
        children: Programs without which a job would be waited for in vain: each look at it raises ChildFailed if one ended.
    """
    seen: set[Any] = set()

    def on_event(event: Event) -> None:
        if event.kind == "observed" and event.month == plan.broken:
            stage.console.print(break_line(event.month), soft_wrap=True)
        if (line := line_of(event)) is not None:
            stage.console.print(line, soft_wrap=True)
        if stage.as_json:
            sys.stdout.write(event.to_json() + "\n")
            sys.stdout.flush()

    def on_job(job: Row) -> None:
        for child in children:
            child.check()
        for step in job["steps"]:
            key = (job["id"], step["name"], step["started_at"])
            if key not in seen:
                seen.add(key)
                stage.console.print(progress_line(step), soft_wrap=True)

    return Listener(on_event, on_job)


def finish(stage: Stage, story: Story, world: World, station: str, seconds: float) -> Verdict:
    """Judge, draw, keep all of it in MLflow, say where it is, and return the verdict."""
    plan = story.plan
    verdict = judge_recovery(story.scores, plan.broken, story.swap, plan.horizon)
    end = story.scores[-1].month if story.scores else plan.first
    if verdict.recovered:
        story.add("recovered", end, **verdict.figures, seconds=round(seconds, 1))
    else:
        story.add("not_recovered", end, why=verdict.why, **verdict.figures, seconds=round(seconds, 1))
    run_id = keep(stage, story, world, station)
    stage.say(
        f"Picture: {stage.home / PICTURE}, and {PICTURE} in MLflow's run {run_id}. Events: {stage.home / EVENTS}."
    )
    stage.say(f"Look around: ALMANAC_HOME='{stage.home}' almanac ui. It took {seconds:.0f} s.")
    return verdict


def keep(stage: Stage, story: Story, world: World, station: str) -> str:
    """Draw the picture, write the events, and upload both to the job's run, or to one of their own; return its id."""
    from training.demo.figure import draw_story
    from training.registry.client import Registry
    from training.registry.location import RegistryLocation

    kept = stage.home / "kept"
    kept.mkdir()
    lines = "".join(event.to_json() + "\n" for event in story.events)
    (kept / EVENTS).write_text(lines, encoding="utf-8")
    draw_story(story, world, station).savefig(kept / PICTURE, dpi=130)
    registry = Registry(RegistryLocation.from_environment(stage.environment))
    run_id = story.run_id or registry.start(MODEL, "demo --live", tags={})
    registry.log_files(run_id, kept, "")
    if not story.run_id:
        registry.finish(run_id)
    for file in (PICTURE, EVENTS):
        (kept / file).rename(stage.home / file)
    kept.rmdir()
    return run_id
