"""Requests for retraining jobs, from a configuration file or a schedule."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.errors import ConfigInvalid
from training.cli.options import check_reserved
from training.config.toml import SERVICE, read_config
from training.config.training import check_name, train_config

Row = Mapping[str, Any]
Request = dict[str, Any]


def read_request(path: Path, name: str, *, if_needed: bool, reason: str) -> Request:
    """Return the request of a configuration file, checked and independent of the file and the working directory.

    Raises:
        ConfigInvalid: If the configuration is invalid.
    """
    settings = read_config(path)
    if not settings.get("name"):
        check_name("model", name, f"as NAME, or as `name` in {path}")
    settings["name"] = settings.get("name") or name
    if isinstance(settings.get("data"), str) and settings["data"] != SERVICE:
        settings["data"] = str(Path(settings["data"]).absolute())
    config = train_config(settings)
    check_reserved(config.name)
    return {"name": config.name, "config": settings, "if_needed": if_needed, "reason": reason}


def request_of(schedules: Sequence[Row], name: str, *, if_needed: bool) -> Request:
    """Return the request of the schedule that retrains a model; of several, that with the model's name.

    Raises:
        ConfigInvalid: If no schedule retrains the model, or several do and none has its name.
    """
    found = {row["name"]: row["request"] for row in schedules if model_of(row) == name}
    if name not in found and len(found) != 1:
        found_text = f"The schedules {', '.join(found)} retrain {name}" if found else f"No schedule retrains {name}"
        raise ConfigInvalid(
            f"{found_text}, and no configuration is given.", hint=f"Give one: almanac retrain {name} --config FILE."
        )
    request = found[name] if name in found else next(iter(found.values()))
    return {**request, "if_needed": if_needed, "reason": "manual"}


def model_of(schedule: Row) -> str | None:
    """Return the model that a schedule retrains, or None for the built-in watch."""
    request = schedule["request"]
    return request.get("name") if isinstance(request, Mapping) else None


def missing_data(request: Mapping[str, Any]) -> str | None:
    """Return a warning if the data file of a request is not on this machine, otherwise None."""
    data = request["config"]["data"]
    if data == SERVICE or Path(data).is_file():
        return None
    return f"{data} does not exist on this machine. The worker needs it at this path."
