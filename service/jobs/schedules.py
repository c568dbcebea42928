"""Schedules: lists, finds, creates, changes and deletes the schedules in the queue's database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from models.jobs.cron import count_fires
from models.jobs.errors import ScheduleDuplicated, ScheduleUnknown
from models.jobs.names import QUEUE, WATCH_SCHEDULE, WORKFLOW
from service.errors import ConfigRequired, FieldInvalid
from service.jobs.client import Client, Schedule, create_schedule
from service.json_input import describe_value

MAX_BACKFILL = 500
"""Jobs that one backfill creates at most."""


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule to create: its name, checked cron line and IANA time zone, and the request of each of its jobs."""

    name: str
    cron: str
    timezone: str
    request: Mapping[str, Any]


def list_schedules(client: Client) -> list[Schedule]:
    """Return every schedule, sorted by name, with the built-in one."""
    return sorted(client.list_schedules(), key=lambda schedule: schedule["schedule_name"])


def find_schedule(client: Client, name: str) -> Schedule:
    """Return a schedule; raises ScheduleUnknown."""
    found = client.get_schedule(name) if name.isprintable() else None
    if found is None:
        raise unknown_schedule(name)
    return found


def unknown_schedule(name: str) -> ScheduleUnknown:
    """Return the error for a schedule that does not exist."""
    return ScheduleUnknown(f"There is no schedule {describe_value(name)}.", hint="GET /schedules lists all schedules.")


def add_schedule(client: Client, new: NewSchedule) -> Schedule:
    """Create a schedule and return it; raises ScheduleDuplicated, FieldInvalid for the built-in one's name."""
    if new.name == WATCH_SCHEDULE:
        raise built_in()
    is_new = create_schedule(
        client,
        schedule_name=new.name,
        workflow_name=WORKFLOW,
        schedule=new.cron,
        context=dict(new.request),
        cron_timezone=new.timezone,
        queue_name=QUEUE,
        automatic_backfill=False,
    )
    if not is_new:
        raise ScheduleDuplicated(
            f"There is a schedule {new.name!r} already.", pointer="/name", hint="Delete it first, or use another name."
        )
    return find_schedule(client, new.name)


def config_of(client: Client, model: str) -> dict[str, Any]:
    """Return the configuration in the model's only schedule, or in the one with the model's name.

    Raises:
        ConfigRequired: If no schedule retrains the model, or several do and none has its name.
    """
    found = {one["schedule_name"]: one["context"] for one in list_schedules(client) if model_of(one) == model}
    if model not in found and len(found) != 1:
        raise no_config(model, *found)
    config: dict[str, Any] = found[model if model in found else next(iter(found))]["config"]
    return config


def no_config(model: str, *schedules: str) -> ConfigRequired:
    """Return the error for a request without configuration that no single schedule replaces."""
    reason = (
        f"the schedules {', '.join(schedules)} retrain {model!r}" if schedules else f"no schedule retrains {model!r}"
    )
    return ConfigRequired(
        f"The request has no configuration, and {reason}.", pointer="/config", hint="Send a `config`."
    )


def model_of(schedule: Schedule) -> str | None:
    """Return the model that a schedule retrains, or None for the built-in one."""
    context = schedule["context"]
    return context.get("name") if isinstance(context, dict) and schedule["workflow_name"] == WORKFLOW else None


def pause(client: Client, name: str) -> Schedule:
    """Pause a schedule and return it; raises ScheduleUnknown."""
    find_schedule(client, name)
    client.pause_schedule(name)
    return find_schedule(client, name)


def resume(client: Client, name: str) -> Schedule:
    """Resume a schedule and return it; raises ScheduleUnknown."""
    find_schedule(client, name)
    client.resume_schedule(name)
    return find_schedule(client, name)


def remove(client: Client, name: str) -> None:
    """Delete a schedule, but not its jobs; raises ScheduleUnknown, FieldInvalid for the built-in one."""
    _find_own(client, name)
    client.delete_schedule(name)


def trigger(client: Client, name: str) -> str:
    """Enqueue a schedule's job now and return its id; raises ScheduleUnknown, FieldInvalid for the built-in one."""
    _find_own(client, name)
    return client.trigger_schedule(name).workflow_id


def backfill(client: Client, name: str, start: datetime, end: datetime, now: datetime) -> list[str]:
    """Enqueue the jobs of a schedule between two moments, and return their ids; existing jobs do not run again.

    Args:
        client: DBOS's client.
        name: The schedule.
        start: Excluded; without an offset in the schedule's time zone.
        end: Excluded; as `start`, and not after `now`.
        now: The current time.

    Raises:
        ScheduleUnknown: If there is no such schedule.
        FieldInvalid: If the moments are in the wrong order, in the future, or too far apart.
    """
    schedule = _find_own(client, name)
    zone = schedule["cron_timezone"] or "UTC"
    first, last = (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone)) for moment in (start, end))
    if not first < last <= now:
        raise FieldInvalid(
            f"`start` is {first.isoformat()}, `end` is {last.isoformat()}.",
            pointer="/end",
            hint="Send a `start` before the `end`, and an `end` that is not in the future.",
        )
    if count_fires(schedule["schedule"], zone, first, last, MAX_BACKFILL + 1) > MAX_BACKFILL:
        raise FieldInvalid(
            f"{name} runs more than {MAX_BACKFILL} times in this period.", pointer="/end", hint="Send a shorter period."
        )
    return [handle.workflow_id for handle in client.backfill_schedule(name, first, last)]


def built_in() -> FieldInvalid:
    """Return the error for a change of the built-in schedule, which retrains nothing and cannot be deleted."""
    return FieldInvalid(
        f"The schedule {WATCH_SCHEDULE} is built in and retrains nothing.",
        hint=f"POST /schedules/{WATCH_SCHEDULE}/pause stops it.",
    )


def _find_own(client: Client, name: str) -> Schedule:
    """Return a schedule that retrains a model; raises ScheduleUnknown, FieldInvalid for the built-in one."""
    schedule = find_schedule(client, name)
    if schedule["workflow_name"] != WORKFLOW:
        raise built_in()
    return schedule
