"""Job requests: the bodies of POST /jobs, POST /schedules and a backfill."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool
from pydantic_core import PydanticCustomError

from models.jobs.cron import LEAST_SECONDS, check_cron, check_interval, check_timezone
from models.starters import NAME as STARTER
from service.errors import FieldInvalid, FieldMissing
from service.jobs.configs import Config, Name
from service.jobs.schedules import NewSchedule
from service.json_input import StrictModel, describe_value, parse_body

MAX_BODY_BYTES = 65_536
TOO_LARGE = f"Send a shorter configuration: at most {MAX_BODY_BYTES} bytes."
FIRST_YEAR, LAST_YEAR = 1900, 9998
"""Years of a backfill: closer to the limits of `datetime`, a change of time zone overflows."""

_KEY = re.compile(r"(?!sched-)[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
"""A key names a job, and a job a folder on the worker's disk: it must not leave the parent folder."""
_JOB_HINT = 'Send {"name": "temperatures"}, or a `config` with it.'
_SCHEDULE_HINT = 'Send {"name": "monthly", "cron": "0 3 1 * *", "config": {"horizon": 12, "data": "service"}}.'
_BACKFILL_HINT = 'Send {"start": "2026-01-01", "end": "2026-06-30T12:00:00+02:00"}.'


def _parse_moment(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise PydanticCustomError("moment", "not a moment", {"hint": _BACKFILL_HINT})
    return moment


Moment = Annotated[datetime, BeforeValidator(_parse_moment)]


class JobRequest(StrictModel):
    """A request to retrain a model now."""

    name: Name | None = Field(None, description="The model; by default the `name` in the configuration.")
    config: Config | None = Field(None, description="The training; by default that of the model's schedule.")
    if_needed: StrictBool = Field(default=False, description="Retrain only if a reason of `retrain` applies.")

    def workflow_input(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the input of the job's workflow with a configuration."""
        return _workflow_input(str(self.name), config, "manual", if_needed=self.if_needed)


class ScheduleRequest(StrictModel):
    """A request to create a schedule."""

    name: Name = Field(description="The schedule; also the model, if the configuration has no `name`.")
    cron: Annotated[str, AfterValidator(check_cron)] = Field(
        description="minute hour day month weekday, six fields with seconds first, or `@monthly` and the like. Two runs "
        "are at least a minute apart (ALMANAC_MIN_SCHEDULE_SECONDS)."
    )
    config: Config = Field(description="The training.")
    timezone: Annotated[str, AfterValidator(check_timezone)] = Field("UTC", description="IANA name.")
    if_needed: StrictBool = Field(default=False, description="Retrain only if a reason of `retrain` applies.")


class BackfillRequest(StrictModel):
    """A period whose missed runs are made up for; both ends are excluded."""

    start: Moment = Field(description="ISO 8601; without an offset in the schedule's time zone.")
    end: Moment = Field(description="As `start`; not in the future.")


def parse_job(body: bytes) -> JobRequest:
    """Return the job in a body, its `name` filled in.

    Raises:
        JsonInvalid, FieldMissing, FieldUnknown, FieldInvalid, ConfigInvalid: If the body is wrong.
    """
    sent = parse_body(JobRequest, body, _JOB_HINT)
    own_name = sent.config.name if sent.config else ""
    name = sent.name or own_name
    if not name:
        raise FieldMissing("`name` is missing.", pointer="/name", hint=_JOB_HINT)
    if own_name not in {"", name}:
        detail = f"`name` is {describe_value(name)}, and the configuration's is {describe_value(own_name)}."
        raise FieldInvalid(detail, pointer="/config/name")
    return sent.model_copy(update={"name": _check_model(name)})


def parse_schedule(body: bytes, least_seconds: float = LEAST_SECONDS) -> NewSchedule:
    """Return the schedule in a body.

    Args:
        body: JSON.
        least_seconds: Shortest time between two runs.

    Raises:
        AlmanacError: As `parse_job`, and ScheduleInvalid.
    """
    sent = parse_body(ScheduleRequest, body, _SCHEDULE_HINT)
    check_interval(sent.cron, least_seconds)
    config = sent.config.to_dict()
    if config.get("promote"):
        raise FieldInvalid(
            "`promote` is set, but a schedule promotes only after a comparison.",
            pointer="/config/promote",
            hint="Leave it out. POST /jobs accepts it, for one job.",
        )
    model = _check_model(config.get("name", sent.name))
    request = _workflow_input(model, config, "schedule", if_needed=sent.if_needed)
    return NewSchedule(sent.name, sent.cron, sent.timezone, request)


def parse_backfill(body: bytes) -> tuple[datetime, datetime]:
    """Return start and end of a backfill; raises as `parse_job`."""
    sent = parse_body(BackfillRequest, body, _BACKFILL_HINT)
    return sent.start, sent.end


def check_key(key: str) -> str:
    """Return an Idempotency-Key, which becomes the job's id; raises FieldInvalid."""
    if not _KEY.fullmatch(key):
        raise FieldInvalid(
            f"The Idempotency-Key is {describe_value(key)}.",
            pointer="/idempotency-key",
            hint="Send up to 64 letters, digits, dots, dashes, underscores or tildes, beginning with a letter or digit, and "
            "not with `sched-`.",
        )
    return key


def _workflow_input(model: str, config: Mapping[str, Any], reason: str, *, if_needed: bool) -> dict[str, Any]:
    return {"name": model, "config": {**config, "name": model}, "if_needed": if_needed, "reason": reason}


def _check_model(name: str) -> str:
    """Return the name of a model that can be trained; raises FieldInvalid for the starter's."""
    if name == STARTER:
        raise FieldInvalid(f"The name {name!r} is the package's starter.", pointer="/name", hint="Use another name.")
    return name
