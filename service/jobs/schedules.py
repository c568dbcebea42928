"""Schedule records: schedules as the queue keeps them, asked, made and moved through its client."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from models.jobs.cron import count_fires
from models.jobs.errors import ScheduleDuplicated, ScheduleUnknown
from models.jobs.names import QUEUE, WATCH_SCHEDULE, WORKFLOW
from service.errors import ConfigRequired, FieldInvalid
from service.jobs.client import Client, Schedule, make_schedule
from service.json_input import shown

MOST_TICKS = 500
"""Jobs that one backfill makes at the most."""


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule that is to be made.

    Attributes:
        name: Its own, not the model's.
        cron: When it fires, as `models.jobs.cron.check_cron` returns it.
        timezone: IANA name whose clocks it goes by.
        request: What each of its jobs is asked to do.
    """

    name: str
    cron: str
    timezone: str
    request: Mapping[str, Any]


def list_schedules(client: Client) -> list[Schedule]:
    """Return every schedule by name, the built-in watch too."""
    return sorted(client.list_schedules(), key=lambda one: one["schedule_name"])


def find_schedule(client: Client, name: str) -> Schedule:
    """Return a schedule; raises ScheduleUnknown."""
    found = client.get_schedule(name) if name.isprintable() else None
    if found is None:
        raise unknown(name)
    return found


def unknown(name: str) -> ScheduleUnknown:
    """Return what is said of a schedule that is not there."""
    return ScheduleUnknown(f"There is no schedule {shown(name)}.", hint="GET /schedules lists those there are.")


def add_schedule(client: Client, new: NewSchedule) -> Schedule:
    """Make a schedule and return it; raises ScheduleDuplicated, FieldInvalid for the built-in one's name."""
    if new.name == WATCH_SCHEDULE:
        raise built_in()
    made = make_schedule(
        client,
        schedule_name=new.name,
        workflow_name=WORKFLOW,
        schedule=new.cron,
        context=dict(new.request),
        cron_timezone=new.timezone,
        queue_name=QUEUE,
        automatic_backfill=False,
    )
    if not made:
        raise ScheduleDuplicated(
            f"There is a schedule {new.name!r} already.", pointer="/name", hint="Delete it first, or take another name."
        )
    return find_schedule(client, new.name)


def config_of(client: Client, model: str) -> dict[str, Any]:
    """Return the configuration that a model's schedule retrains it with; of several that of the model's own name.

    Raises:
        ConfigRequired: If no schedule retrains it, or several do and none has its name.
    """
    found = {one["schedule_name"]: one["context"] for one in list_schedules(client) if model_of(one) == model}
    if model not in found and len(found) != 1:
        raise no_config(model, *found)
    config: dict[str, Any] = found[model if model in found else next(iter(found))]["config"]
    return config


def no_config(model: str, *schedules: str) -> ConfigRequired:
    """Return what is said where a request has no configuration, and the model's schedules cannot stand in."""
    said = f"The schedules {', '.join(schedules)} retrain {model!r}" if schedules else f"No schedule retrains {model!r}"
    return ConfigRequired(f"{said}, and the request has no configuration.", pointer="/config", hint="Send a `config`.")


def model_of(one: Schedule) -> str | None:
    """Return the model that a schedule retrains, None for the built-in one."""
    context = one["context"]
    return context.get("name") if isinstance(context, dict) and one["workflow_name"] == WORKFLOW else None


def pause(client: Client, name: str) -> Schedule:
    """Let a schedule fire no more, and return it; raises ScheduleUnknown."""
    find_schedule(client, name)
    client.pause_schedule(name)
    return find_schedule(client, name)


def resume(client: Client, name: str) -> Schedule:
    """Let a schedule fire again, and return it; raises ScheduleUnknown."""
    find_schedule(client, name)
    client.resume_schedule(name)
    return find_schedule(client, name)


def remove(client: Client, name: str) -> None:
    """Delete a schedule; its jobs go on. Raises ScheduleUnknown, FieldInvalid for the built-in one."""
    _retraining(find_schedule(client, name))
    client.delete_schedule(name)


def trigger(client: Client, name: str) -> str:
    """Queue a schedule's job now and return its id; raises ScheduleUnknown, FieldInvalid for the built-in one."""
    _retraining(find_schedule(client, name))
    return client.trigger_schedule(name).workflow_id


def backfill(client: Client, name: str, start: datetime, end: datetime, now: datetime) -> list[str]:
    """Queue the jobs of a schedule between two moments, both left out, and return their ids; those there were stay as they are.

    Args:
        client: Of the queue.
        name: Of the schedule.
        start: A moment without an offset is one of the schedule's time zone.
        end: Same; not after `now`.
        now: This moment.

    Raises:
        ScheduleUnknown: If there is no such schedule.
        FieldInvalid: If the moments are in the wrong order, in the future, or too far apart.
    """
    one = _retraining(find_schedule(client, name))
    zone = one["cron_timezone"] or "UTC"
    first, last = (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone)) for moment in (start, end))
    if not first < last <= now:
        raise FieldInvalid(
            f"`start` is {first.isoformat()}, `end` is {last.isoformat()}.",
            pointer="/end",
            hint="Send a `start` before an `end` that is not in the future.",
        )
    if count_fires(one["schedule"], zone, first, last, MOST_TICKS + 1) > MOST_TICKS:
        raise FieldInvalid(
            f"{name} fires more than {MOST_TICKS} times in between.", pointer="/end", hint="Backfill a shorter time."
        )
    return [handle.workflow_id for handle in client.backfill_schedule(name, first, last)]


def _retraining(one: Schedule) -> Schedule:
    """Return a schedule that makes jobs; raises FieldInvalid for the built-in one, which makes none."""
    if one["workflow_name"] != WORKFLOW:
        raise built_in()
    return one


def built_in() -> FieldInvalid:
    """Return what is said of the built-in watch, which retrains nothing and cannot be deleted."""
    return FieldInvalid(
        f"The schedule {WATCH_SCHEDULE} is built in and retrains nothing.",
        hint=f"POST /schedules/{WATCH_SCHEDULE}/pause stops it.",
    )
