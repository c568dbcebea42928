"""Export: the observations that a running service holds, fetched as any client would into a file that stays as it is."""

import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.calendar.on_calendar import parse_frequency, timestamps_from
from models.errors import DataInvalid, Finding, ServiceUnreachable
from training.config.toml import SERVICE
from training.config.training import TrainConfig, require_file
from training.data.series_set import FEW_POINTS, SAME_STEP
from training.registry.location import Place
from training.service_client.accuracy import Address, told

TIMEOUT_SECONDS = 120.0
"""Longest silence: the service begins to answer with its first page, and goes on page by page."""

MAGIC = b"PAR1"
"""A Parquet file begins and ends with this; one that broke off does not end with it."""

DIGITS = 12
"""Of a digest in a file's name."""

STEPS = 25
"""Steps of a calendar whose median is its usual one."""

HINT = "Set ALMANAC_SERVICE_URL, and ALMANAC_API_KEY to a key of scope read where the service has keys."


def service_address(environment: Mapping[str, str]) -> Address | None:
    """Return the service that ALMANAC_SERVICE_URL and ALMANAC_API_KEY name, or None where they name none."""
    url = environment.get("ALMANAC_SERVICE_URL")
    return Address(url, environment.get("ALMANAC_API_KEY") or None) if url else None


def fetch_observations(address: Address | None, path: Path) -> Path:
    """Write every observation of a service to a Parquet file of `unique_id`, `ds` and `y`, whole or not at all.

    Rows without a value are left out: within a series they are the gaps that they stand for, and elsewhere they take back a
    wrong timestamp.

    Args:
        address: Of the service, with a key of scope `read` where it has keys.
        path: Where the file goes; its folder is made if missing.

    Raises:
        ServiceUnreachable: If no service is named, or it does not answer, refuses or breaks off.
        DataInvalid: If it holds no observations.
    """
    if address is None:
        raise ServiceUnreachable("No service is named whose observations could be fetched.", hint=HINT)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        _download(address, part)
        _refuse_broken(part, address)
        _leave_out_gaps(part)
        _refuse_empty(part, address)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def local_data(config: TrainConfig, environment: Mapping[str, str]) -> tuple[TrainConfig, tuple[Finding, ...]]:
    """Return the configuration with a file for its data, and what was noticed on the way.

    Observations of a service are frozen in ALMANAC_HOME/exports under the beginning of their digest, so that the run
    which was made of them can be made again.

    Raises:
        DataInvalid: If there is no such file, or the service holds nothing.
        ServiceUnreachable: If the service does not hand its observations over.
    """
    if str(config.data) != SERVICE:
        require_file(config.data)
        return config, ()
    folder = Place.from_environment(environment).home / "exports"
    path = fetch_observations(service_address(environment), folder / f"{config.name}.parquet")
    findings = keep_frequency(path, config.frequency)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]
    return replace(config, data=path.replace(path.with_stem(f"{config.name}-{digest}"))), findings


def keep_frequency(path: Path, frequency: str | None) -> tuple[Finding, ...]:
    """Leave only those series in an export that have a frequency, and return how many were left out, the first by name.

    A service may hold hourly and monthly series side by side; a model is of one. Series of fewer than four rows stay,
    since nobody can tell. Without a frequency the file stays as it is, and its reader asks for one.

    Raises:
        FrequencyUnknown: If nobody knows the frequency.
        DataInvalid: If no series is left.
    """
    if frequency is None:
        return ()
    import pandas as pd

    stamps = timestamps_from(np.datetime64("2001-01-01", "us"), parse_frequency(frequency), STEPS)
    step = float(np.median(np.diff(stamps).astype(np.int64)))
    frame = pd.read_parquet(path)
    found = frame.groupby("unique_id", sort=False)["ds"]
    usual = found.agg(lambda ds: np.median(np.diff(np.sort(ds.to_numpy("datetime64[us]"))).astype(np.int64)))
    low, high = SAME_STEP
    other = (found.size() >= FEW_POINTS) & ~(usual / step).between(low, high, inclusive="neither")
    names = list(other.index[other])
    if not names:
        return ()
    if other.all():
        raise DataInvalid(
            f"None of {len(names)} series that the service holds has frequency {frequency}.", hint="Give another one."
        )
    frame[~frame["unique_id"].isin(names)].to_parquet(path, index=False)
    told = f"{len(names)} of {len(other)} series have another frequency than {frequency} and are left out, such as {names[0]!r}."
    return (Finding("FREQUENCY_OTHER", told),)


def _download(address: Address, part: Path) -> None:
    headers = {"authorization": f"Bearer {address.key}"} if address.key else {}
    url = f"{address.url.rstrip('/')}/observations/export"
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 (the user's own address, http or https)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer, part.open("wb") as file:  # noqa: S310
            shutil.copyfileobj(answer, file)
            file.flush()
            os.fsync(file.fileno())
    except urllib.error.HTTPError as error:
        raise ServiceUnreachable(f"{address.url} answers {error.code}: {told(error)}", hint=HINT) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ServiceUnreachable(
            f"The observations cannot be fetched from {address.url}: {getattr(error, 'reason', error)}.", hint=HINT
        ) from error


def _refuse_broken(part: Path, address: Address) -> None:
    """Raise ServiceUnreachable where what came is no whole Parquet file."""
    with part.open("rb") as file:
        first = file.read(len(MAGIC))
        file.seek(max(0, part.stat().st_size - len(MAGIC)))
        last = file.read()
    if first != MAGIC or last != MAGIC:
        raise ServiceUnreachable(
            f"{address.url} sent {part.stat().st_size} bytes that are no whole Parquet file.",
            hint="It broke off, or something else answers there; try again.",
        )


def _leave_out_gaps(part: Path) -> None:
    """Write the file again without its nulls, where it has any."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(part)
    if "y" in table.column_names and table.num_rows:
        valued = pc.invert(pc.is_null(table.column("y"), nan_is_null=True))
        if not pc.all(valued).as_py():
            pq.write_table(table.filter(valued), part)


def _refuse_empty(part: Path, address: Address) -> None:
    """Raise DataInvalid where the file holds no rows."""
    import pyarrow.parquet as pq

    if pq.read_metadata(part).num_rows == 0:
        raise DataInvalid(f"{address.url} holds no observations.", hint="Send some to POST /observations first.")
