"""Job requests: what POST /jobs, POST /schedules and a backfill ask for, from the bytes of a body."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from models.jobs.cron import check_cron, check_timezone
from models.starters import NAME as STARTER
from service.errors import FieldInvalid, FieldMissing, JsonInvalid
from service.jobs.configs import check_config, check_name
from service.jobs.schedules import NewSchedule
from service.json_input import refuse_unknown, shown

JOB_FIELDS = ("name", "config", "if_needed")
SCHEDULE_FIELDS = ("name", "cron", "config", "timezone", "if_needed")
BACKFILL_FIELDS = ("start", "end")
MAX_BODY_BYTES = 65_536
FIRST_YEAR, LAST_YEAR = 1900, 9998
"""Of a moment: nearer the ends of the calendar a change of time zone leaves it."""

_KEY = re.compile(r"(?!sched-)[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
"""A key names a job, and a job a folder of its worker's: it must not climb out of it."""
_JOB_HINT = 'Send {"name": "temperatures"}, or a `config` with it.'


@dataclass(frozen=True, slots=True)
class NewJob:
    """What POST /jobs asks for.

    Attributes:
        name: Of the model.
        config: Of the training; None means that of the model's schedule.
        if_needed: Whether the model is retrained only where there is a reason.
    """

    name: str
    config: Mapping[str, Any] | None = None
    if_needed: bool = False

    def request(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request of the job with a configuration."""
        return {
            "name": self.name,
            "config": {**config, "name": self.name},
            "if_needed": self.if_needed,
            "reason": "manual",
        }


def parse_job(body: bytes) -> NewJob:
    """Return what a body asks for.

    Raises:
        JsonInvalid, FieldMissing, FieldUnknown, FieldInvalid, ConfigInvalid: If it is wrong.
    """
    sent = _object(body, JOB_FIELDS, _JOB_HINT)
    config = check_config(sent["config"]) if sent.get("config") is not None else None
    said = [sent.get("name"), (config or {}).get("name")]
    names = {check_name(one, "/name") for one in said if one is not None}
    if not names:
        raise FieldMissing("`name` is missing.", pointer="/name", hint=_JOB_HINT)
    if len(names) > 1:
        raise FieldInvalid(f"`name` is {shown(said[0])}, the configuration's {shown(said[1])}.", pointer="/config/name")
    return NewJob(_model(names.pop()), config, _switch(sent))


def parse_schedule(body: bytes) -> NewSchedule:
    """Return the schedule that a body describes; raises as `parse_job`, and ScheduleInvalid."""
    hint = 'Send {"name": "monthly", "cron": "0 3 1 * *", "config": {"horizon": 12, "data": "service"}}.'
    sent = _object(body, SCHEDULE_FIELDS, hint)
    for key in ("name", "cron", "config"):
        if sent.get(key) is None:
            raise FieldMissing(f"`{key}` is missing.", pointer=f"/{key}", hint=hint)
    name, config = check_name(sent["name"], "/name"), check_config(sent["config"])
    if config.get("promote"):
        raise FieldInvalid(
            "`promote` is set, and a schedule promotes on evidence alone.",
            pointer="/config/promote",
            hint="Leave it out; POST /jobs takes it, once.",
        )
    model = _model(config.get("name", name))
    request = {"name": model, "config": {**config, "name": model}, "if_needed": _switch(sent), "reason": "schedule"}
    timezone = check_timezone(_text(sent, "timezone", "UTC"))
    return NewSchedule(name, check_cron(_text(sent, "cron")), timezone, request)


def parse_backfill(body: bytes) -> tuple[datetime, datetime]:
    """Return start and end of a backfill; raises as `parse_job`."""
    hint = 'Send {"start": "2026-01-01", "end": "2026-06-30T12:00:00+02:00"}.'
    sent = _object(body, BACKFILL_FIELDS, hint)
    return _moment(sent, "start", hint), _moment(sent, "end", hint)


def check_key(key: str) -> str:
    """Return an Idempotency-Key, which becomes the job's id; raises FieldInvalid."""
    if not _KEY.fullmatch(key):
        raise FieldInvalid(
            f"The Idempotency-Key is {shown(key)}.",
            pointer="/idempotency-key",
            hint="Send up to 64 letters, digits, dots, dashes, underscores or tildes; first a letter or digit, and not `sched-`.",
        )
    return key


def _object(body: bytes, fields: tuple[str, ...], hint: str) -> dict[str, Any]:
    try:
        sent = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise JsonInvalid(f"The body is no JSON: {error}.", hint=hint) from error
    if not isinstance(sent, dict):
        raise FieldInvalid(f"The body is {shown(sent)}; it must be an object.", hint=hint)
    refuse_unknown(sent, fields)
    return sent


def _model(name: str) -> str:
    """Return the name of a model that can be trained; raises FieldInvalid for the starter's."""
    if name == STARTER:
        raise FieldInvalid(f"The name {name!r} is the package's starter.", pointer="/name", hint="Name another model.")
    return name


def _switch(sent: Mapping[str, Any]) -> bool:
    said = sent.get("if_needed")
    if not (said is None or isinstance(said, bool)):
        raise FieldInvalid(f"`if_needed` is {shown(said)}.", pointer="/if_needed", hint="Send true or false.")
    return bool(said)


def _text(sent: Mapping[str, Any], name: str, default: str = "") -> str:
    said = sent.get(name, default)
    if said is None:
        return default
    if not isinstance(said, str):
        raise FieldInvalid(f"`{name}` is {shown(said)}.", pointer=f"/{name}", hint="Send text.")
    return said


def _moment(sent: Mapping[str, Any], name: str, hint: str) -> datetime:
    said = sent.get(name)
    if said is None:
        raise FieldMissing(f"`{name}` is missing.", pointer=f"/{name}", hint=hint)
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        moment = None
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise FieldInvalid(f"`{name}` is {shown(said)}.", pointer=f"/{name}", hint=hint)
    return moment
