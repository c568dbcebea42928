"""Configuration: environment variables that cannot be used, and names that nothing reads."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from difflib import get_close_matches

from almanac.doctor.check import Check, failed
from service.errors import SettingInvalid
from service.settings import PREFIX, Settings

NAME = "configuration"
OTHERS = ("API_KEY", "DEBUG", "JOB_MEMORY", "SERVICE_URL", "WATCH_CRON", "WORKER_ID")
"""Variables that commands and workers read beside the settings of the service."""
DEPLOYED = ("CLIENT_KEY", "METRICS_KEY", "PORT", "TRAINING_MEMORY", "WORKER_KEY")
"""Variables of docker-compose.yml and its `.env`."""
KNOWN = {PREFIX + name for name in (*map(str.upper, Settings.model_fields), *OTHERS, *DEPLOYED)} - {
    f"{PREFIX}TRACKING_URI"
}


def read_settings(environment: MutableMapping[str, str]) -> tuple[Settings, list[Check]]:
    """Return the settings, and an error for each variable that is invalid; the default takes its place in `environment`.

    Args:
        environment: `os.environ`, from which the settings are read.
    """
    faults: list[Check] = []
    while True:
        try:
            return Settings.from_environment(), faults
        except SettingInvalid as error:
            faults.append(failed(NAME, error))
            if environment.pop(error.detail.partition(" ")[0], None) is None:
                raise


def check_configuration(given: Iterable[str], environment: Mapping[str, str], faults: list[Check]) -> Iterator[Check]:
    """Yield the faults, and the variables with an unknown name; raises ConfigInvalid for the settings of workers.

    Args:
        given: Names of the variables that were set.
        environment: Those without the invalid ones.
        faults: What is wrong with the invalid ones.
    """
    names = sorted(name for name in given if name.startswith(PREFIX))
    unknown = [name for name in names if name not in KNOWN]
    yield from faults
    for name in unknown:
        near = get_close_matches(name.removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in sorted(KNOWN)], 1)
        remedy = f"Did you mean {PREFIX}{near[0]}?" if near else "Remove it; docs/operations.md lists the settings."
        yield Check(NAME, "warning", f"Nothing reads {name}.", remedy)
    if not faults and not unknown:
        yield Check(NAME, "ok", f"{len(names)} variables are set." if len(names) != 1 else "1 variable is set.")
    from training.jobs.worker_settings import WorkerSettings  # needs the train extra

    WorkerSettings.from_environment(environment)
