"""The live demo: real temperatures replayed against a service, from an artificial break to recovery."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from models.errors import ServiceUnreachable
from training.config.toml import merge, read_config
from training.demo.events import Event, Recovery, assess_recovery
from training.demo.replay import ReplayPlan, World, read_world, write_measured
from training.demo.scenario import SCHEDULE, Replay, requests_to
from training.processes import LOOPBACK, ChildFailed, ChildProcess, free_port, running
from training.service_client.client import Row

HERE = Path(__file__).parents[1]
CONFIG = HERE / "configs" / "live.toml"
TEMPERATURES = HERE / "datasets" / "temperatures.csv"
MODEL = "temperatures"
FIRST = ("--no-refit", "--set", "fit.validation_origins=12")
"""Flags of the first training: intervals and the profile of the inputs come from a whole year."""

FIGURE, EVENTS = "live.png", "events.jsonl"
READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class LiveDemo:
    """Where and how the live demo runs, in a home of its own; if the port is in use, the next free one is taken."""

    home: Path
    console: Console
    port: int = 8000
    config: Path = CONFIG
    as_json: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """Environment of every program: only this home, whatever the user's own settings are."""
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

    def print(self, text: object) -> None:
        """Print a line of text."""
        self.console.print(text, soft_wrap=True)


def make_home(home: Path, now: datetime) -> Path:
    """Make and return a new folder in a home; raises ChildFailed if it exists."""
    folder = home / "live" / f"{now:%Y-%m-%d-%H%M%S}"
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise ChildFailed(f"{folder} exists already.", hint="Try again in a second.") from error
    return folder


def run_live(demo: LiveDemo, plan: ReplayPlan) -> Recovery:
    """Train, serve, replay month by month, and return whether live accuracy recovered from the break.

    Raises:
        ChildFailed: If the training, the service, the worker or a job fails.
    """
    began, world = time.monotonic(), read_world(TEMPERATURES, plan.broken)
    stations = world.reporting([*plan.history[-plan.horizon :], *plan.months])
    demo.print(f"All files of this demo are in {demo.home}.")
    train_first(demo, world, stations, plan)
    port, logs, environment = free_port(demo.port), demo.home / "logs", demo.environment
    address, almanac = f"http://{LOOPBACK}:{port}", [sys.executable, "-m", "almanac"]
    serve = running("The service", [*almanac, "serve", "--host", LOOPBACK, "--port", str(port)], address=address,
                    log=logs / "service.log", environment=environment)  # fmt: skip
    work = running("The worker", [*almanac, "worker"], address="", log=logs / "worker.log",
                   environment={**environment, "ALMANAC_SERVICE_URL": address})  # fmt: skip
    with serve as service, work as worker:
        service.wait_until_ready("/health/ready", READY_SECONDS)
        demo.print(f"The service runs at {address}.")
        replay = Replay(plan, MODEL, world, stations, requests_to(address),
                        print_events(demo, plan), print_jobs(demo, (service, worker)))  # fmt: skip
        prepare(demo, replay)
        try:
            replay.run()
        except (ChildFailed, ServiceUnreachable):
            service.check()
            worker.check()
            raise
    return finish(demo, replay, time.monotonic() - began)


def train_first(demo: LiveDemo, world: World, stations: Sequence[str], plan: ReplayPlan) -> None:
    """Train and register the first model on the months before the replay; raises ChildFailed."""
    data, log = demo.home / "early.csv", demo.home / "logs" / "train.log"
    values = write_measured(world, stations, plan.first, data)
    demo.print(f"A first model is trained on {values} real values before {plan.first} (log: {log}).")
    command = [sys.executable, "-m", "almanac", "train", str(demo.config), "--data", str(data), *FIRST]
    command += ["--seed", str(plan.seed)]
    with running("The training", command, address="", log=log, environment=demo.environment) as training:
        if training.process.wait():
            training.check()


def prepare(demo: LiveDemo, replay: Replay) -> None:
    """Send the history to the service, and make the schedule, paused: the replay triggers it."""
    plan = replay.plan
    known = replay.observe(list(replay.world.rows(replay.stations, plan.history)))
    demo.print(f"The service gets {known} values before {plan.first}: {', '.join(replay.stations)}.")
    config = merge(read_config(demo.config), {"data": "service", "seed": plan.seed})
    cron = f"0 3 1 {plan.tick_month} *"
    replay.request("/schedules", {"name": SCHEDULE, "cron": cron, "config": config, "if_needed": True})
    replay.request(f"/schedules/{SCHEDULE}/pause", {})
    demo.print(f"Schedule {SCHEDULE} ({cron}) retrains if a reason is met; the replay triggers it once a year.")


def print_events(demo: LiveDemo, plan: ReplayPlan) -> Callable[[Event], None]:
    """Return a function that prints events: as lines of text, and as JSON on standard output if requested."""

    def on_event(event: Event) -> None:
        if event.kind == "observed" and event.month == plan.broken:
            demo.print(
                f"[bold red]{event.month}  The artificial break: from now on every station reports its value of half a "
                "year before, as if it had been moved to the other hemisphere."
            )
        if (line := event.to_line()) is not None:
            demo.print(line)
        if demo.as_json:
            sys.stdout.write(event.to_json() + "\n")
            sys.stdout.flush()

    return on_event


def print_jobs(demo: LiveDemo, processes: Sequence[ChildProcess]) -> Callable[[Row], None]:
    """Return a function that prints the finished steps of a job, and raises ChildFailed if a process has ended."""
    printed: set[Any] = set()

    def on_job(job: Row) -> None:
        for process in processes:
            process.check()
        for step in job["steps"]:
            if (key := (job["id"], step["name"], step["started_at"])) not in printed:
                printed.add(key)
                outcome = step["error"]["detail"] if step["error"] else f"{step['seconds'] or 0:.1f} s"
                demo.print(f"[dim]         {step['name']}: {outcome}")

    return on_job


def finish(demo: LiveDemo, replay: Replay, seconds: float) -> Recovery:
    """Assess the recovery, draw the figure, log it to MLflow, print where it is, and return the recovery."""
    plan = replay.plan
    recovery = assess_recovery(replay.scores, plan.broken, replay.swap, plan.horizon)
    end = replay.scores[-1].month if replay.scores else plan.first
    figures = {**recovery.figures, "seconds": round(seconds, 1)}
    if recovery.recovered:
        replay.add("recovered", end, **figures)
    else:
        replay.add("not_recovered", end, why=recovery.why, **figures)
    run_id = log_files(demo, replay)
    demo.print(f"Figure: {demo.home / FIGURE}. Events: {demo.home / EVENTS}. Both are in MLflow's run {run_id}.")
    demo.print(f"Look around: ALMANAC_HOME='{demo.home}' almanac ui. The demo took {seconds:.0f} s.")
    return recovery


def log_files(demo: LiveDemo, replay: Replay) -> str:
    """Write figure and events, log them in the last job's run or in a new one, and return the run's id."""
    from training.demo.figure import draw_replay
    from training.registry.client import Registry
    from training.registry.location import RegistryLocation

    files = demo.home / "files"
    files.mkdir()
    (files / EVENTS).write_text("".join(event.to_json() + "\n" for event in replay.events), encoding="utf-8")
    draw_replay(replay, replay.stations[0]).savefig(files / FIGURE, dpi=130)
    registry = Registry(RegistryLocation.from_environment(demo.environment))
    run_id = replay.run_id or registry.start(MODEL, "demo --live", tags={})
    registry.log_files(run_id, files, "")
    if not replay.run_id:
        registry.finish(run_id)
    for file in (FIGURE, EVENTS):
        (files / file).rename(demo.home / file)
    files.rmdir()
    return run_id
