"""Observations of a running service, downloaded to a Parquet file that a training reads."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.calendar.zoned_grid import parse_frequency, timestamps_from
from models.errors import DataInvalid, Finding, ServiceUnreachable
from training.config.toml import SERVICE
from training.config.training import TrainConfig, require_file
from training.data.series_set import FEW_POINTS, SAME_STEP
from training.registry.location import RegistryLocation
from training.service_client.client import Address, download, service_address

TIMEOUT_SECONDS = 120.0
"""Longest wait for the next part of the response: the service sends it page by page."""

MAGIC = b"PAR1"
"""First and last bytes of a Parquet file; an incomplete file does not end with them."""

DIGEST_DIGITS = 12
"""Digits of the digest in a file's name."""

CALENDAR_STEPS = 25
"""Number of steps whose median is the typical length of a step of a frequency."""

HINT = "Set ALMANAC_SERVICE_URL, and ALMANAC_API_KEY to a key of scope read if the service has keys."


def fetch_observations(address: Address | None, path: Path) -> Path:
    """Write all observations of a service to a Parquet file with the columns `unique_id`, `ds`, `y` and `timezone`, and return its path.

    Rows without a value are left out: inside a series they are gaps anyway, elsewhere they cancel a wrong timestamp. If the
    download fails, no file is left.

    Args:
        address: Address of the service, with a key of scope `read` if it has keys.
        path: File to write; its folder is created if missing.

    Raises:
        ServiceUnreachable: If `address` is None, or the download fails or is incomplete.
        DataInvalid: If the service has no observations.
    """
    if address is None:
        raise ServiceUnreachable("Observations cannot be downloaded: no service is configured.", hint=HINT)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        try:
            download(address, "/observations/export", part, TIMEOUT_SECONDS)
        except ServiceUnreachable as error:
            raise ServiceUnreachable(f"Observations cannot be downloaded. {error.detail}", hint=HINT) from error
        _check_complete(part, address)
        _drop_missing(part)
        _check_not_empty(part, address)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def local_data(config: TrainConfig, environment: Mapping[str, str]) -> tuple[TrainConfig, tuple[Finding, ...]]:
    """Return the configuration with a file as its data, and findings about that data.

    Observations of a service are stored in ALMANAC_HOME/exports under their digest, so that the run can be reproduced.

    Raises:
        DataInvalid: If the file does not exist, or the service has no observations.
        ServiceUnreachable: If the observations cannot be downloaded.
    """
    if str(config.data) != SERVICE:
        require_file(config.data)
        return config, ()
    folder = RegistryLocation.from_environment(environment).home / "exports"
    path = fetch_observations(service_address(environment), folder / f"{config.name}.parquet")
    findings = keep_frequency(path, config.frequency)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:DIGEST_DIGITS]
    return replace(config, data=path.replace(path.with_stem(f"{config.name}-{digest}"))), findings


def keep_frequency(path: Path, frequency: str | None) -> tuple[Finding, ...]:
    """Remove the series of other frequencies from a file, and return a finding that says how many were removed.

    A service may have hourly and monthly series; a model has one frequency. Series of fewer than four rows stay, since their
    frequency is unclear. Without a frequency the file stays as it is.

    Raises:
        FrequencyUnknown: If the frequency is unknown.
        DataInvalid: If no series is left.
    """
    if frequency is None:
        return ()
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    stamps = timestamps_from(np.datetime64("2001-01-01", "us"), parse_frequency(frequency), CALENDAR_STEPS)
    step = float(np.median(np.diff(stamps).astype(np.int64)))
    frame = pd.read_parquet(path, columns=["unique_id", "ds"])
    found = frame.groupby("unique_id", sort=False)["ds"]
    usual = found.agg(lambda ds: np.median(np.diff(np.sort(ds.to_numpy("datetime64[us]"))).astype(np.int64)))
    low, high = SAME_STEP
    other = (found.size() >= FEW_POINTS) & ~(usual / step).between(low, high, inclusive="neither")
    removed = list(other.index[other])
    if not removed:
        return ()
    if other.all():
        raise DataInvalid(
            f"None of the service's {len(removed)} series has frequency {frequency}.", hint="Set another frequency."
        )
    table = pq.read_table(path)
    pq.write_table(table.filter(pc.invert(pc.is_in(table["unique_id"], pa.array(removed)))), path)
    detail = f"{len(removed)} of {len(other)} series do not have frequency {frequency} and are left out, such as {removed[0]!r}."
    return (Finding("FREQUENCY_OTHER", detail),)


def _check_complete(part: Path, address: Address) -> None:
    """Raise ServiceUnreachable if the file is not a complete Parquet file."""
    with part.open("rb") as file:
        first = file.read(len(MAGIC))
        file.seek(max(0, part.stat().st_size - len(MAGIC)))
        last = file.read()
    if first != MAGIC or last != MAGIC:
        raise ServiceUnreachable(
            f"{address.url} sent {part.stat().st_size} bytes that are not a complete Parquet file.",
            hint="Try again, and check that the address is an Almanac service.",
        )


def _drop_missing(part: Path) -> None:
    """Rewrite the file without the rows that have no value, if it has any."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(part)
    if "y" in table.column_names and table.num_rows:
        valued = pc.invert(pc.is_null(table.column("y"), nan_is_null=True))
        if not pc.all(valued).as_py():
            pq.write_table(table.filter(valued), part)


def _check_not_empty(part: Path, address: Address) -> None:
    """Raise DataInvalid if the file has no rows."""
    import pyarrow.parquet as pq

    if pq.read_metadata(part).num_rows == 0:
        raise DataInvalid(f"{address.url} has no observations.", hint="Send some with POST /observations first.")
