"""Observe command: `almanac observe`, which sends a file of observations to a service, part by part."""

import csv
import http.client
import io
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import click
import orjson

from models.errors import AlmanacError

PART_ROWS = 50_000
"""Rows in one request: some megabytes."""
TRIES = 6
TIMEOUT_SECONDS = 120.0
SHOWN_ERRORS = 20
GONE = frozenset({408, 429, 500, 502, 503, 504})
"""Answers after which the same is sent again: it changes nothing where it has come already."""
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})


class SendingFailed(AlmanacError):
    """A service that does not take what it is sent."""

    code = "SENDING_FAILED"


class FileUnusable(AlmanacError):
    """A file that cannot be sent."""

    code = "FILE_UNUSABLE"


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a file.

    Attributes:
        body: As they are sent.
        media_type: What that is.
        first: Place in the file of the first of them, counting from 0.
    """

    body: bytes
    media_type: str
    first: int


@click.command(short_help="Send a file of observations to a service.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--url",
    envvar="ALMANAC_SERVICE_URL",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="The service (or ALMANAC_SERVICE_URL).",
)
@click.option("--key", envvar="ALMANAC_API_KEY", help="A key of scope `record` (or ALMANAC_API_KEY).")
@click.option("--frequency", help="Of all series in the file, such as M or D; remembered by the service.")
@click.option("--timezone", help="IANA name whose clocks timestamps without an offset show.")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of text.")
def observe(  # noqa: PLR0913 (click's way)
    file: Path, url: str, key: str | None, frequency: str | None, timezone: str | None, *, as_json: bool
) -> int:
    """Send a long FILE (CSV or Parquet: unique_id, ds, y) to a service, which keeps it.

    It can be sent again at any time: what is there already stays as it is, and a value that has changed is replaced.
    Rows that the service refuses are named, and make the exit code 1; the others are kept.

    \b
    Example:
        almanac observe sales.csv --frequency D
    """  # noqa: D301 (click's mark for text that is not to be wrapped)
    said = {name: text for name, text in (("frequency", frequency), ("timezone", timezone)) if text}
    address = f"{url.rstrip('/')}/observations{f'?{urlencode(said)}' if said else ''}"
    if urlsplit(address).scheme not in {"http", "https"}:
        raise click.UsageError(f"--url {url!r} is no address of a service, such as http://127.0.0.1:8000.")
    accepted = refused = 0
    errors: list[dict[str, Any]] = []
    for part in _read(file):
        answer = _send(address, part, key)
        accepted, refused = accepted + answer["accepted"], refused + answer["refused"]
        errors += [{**error, "row": _row(error["pointer"], part)} for error in answer["errors"]]
    if as_json:
        click.echo(
            orjson.dumps({"accepted": accepted, "refused": refused, "errors": errors}, option=orjson.OPT_INDENT_2)
        )
    else:
        _tell(accepted, refused, errors, url)
    return 1 if refused else 0


def _tell(accepted: int, refused: int, errors: list[dict[str, Any]], url: str) -> None:
    for error in errors[:SHOWN_ERRORS]:
        click.echo(f"row {error['row']} ({error['id']}): {error['detail']} {error['hint']}", err=True)
    if refused > SHOWN_ERRORS:
        click.echo(f"… {refused - SHOWN_ERRORS} more (--json lists the first 1,000 of each {PART_ROWS}).", err=True)
    click.echo(
        f"{accepted} observations are kept by {url}" + (f", {refused} were refused." if refused else "."), err=True
    )


def _row(pointer: str, part: Part) -> int | None:
    """Return the row of the file that an error means: the line after the header is row 1."""
    place = pointer.split("/")[2:3]
    return part.first + int(place[0]) + 1 if place and place[0].isdigit() else None


def _parts(file: Path) -> Iterator[Part]:
    """Yield a file's rows, some at a time."""
    read: Callable[[Path], Iterator[Part]] = _parquet if file.suffix.lower() in PARQUET_SUFFIXES else _csv
    return read(file)


def _read(file: Path) -> Iterator[Part]:
    """Yield a file's rows, some at a time; raises FileUnusable for a file that is broken, or has none."""
    import pyarrow as pa

    empty = True
    try:
        for part in _parts(file):
            empty = False
            yield part
    except UnicodeDecodeError as error:
        raise FileUnusable(f"{file}: is no UTF-8 ({error.reason}).", hint="Save it as UTF-8.") from error
    except (csv.Error, pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0][:200]
        raise FileUnusable(f"{file}: cannot be read ({said}).", hint="Check the file, or write it again.") from error
    if empty:
        raise FileUnusable(f"{file}: holds no rows.", hint="Give a file with a header and at least one row.")


def _csv(file: Path) -> Iterator[Part]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines)
        header = next(rows, [])
        first = 0
        while part := list(islice(rows, PART_ROWS)):
            body = io.StringIO()
            csv.writer(body).writerows([header, *part])
            yield Part(body.getvalue().encode(), "text/csv", first)
            first += len(part)


def _parquet(file: Path) -> Iterator[Part]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = 0
    for batch in pq.ParquetFile(file).iter_batches(batch_size=PART_ROWS):
        body = io.BytesIO()
        pq.write_table(pa.Table.from_batches([batch]), body, compression="zstd")
        yield Part(body.getvalue(), "application/vnd.apache.parquet", first)
        first += batch.num_rows


def _send(address: str, part: Part, key: str | None) -> dict[str, Any]:
    """Return the service's answer to a part, sent again while the service is away.

    Raises:
        SendingFailed: If the service refuses it whole, or stays away.
    """
    headers = {"content-type": part.media_type, **({"authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(address, part.body, headers, method="POST")  # noqa: S310 (the scheme is checked)
    said = ""
    for attempt in range(TRIES):
        time.sleep(2.0**attempt / 4 if attempt else 0)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 (same)
                answer: dict[str, Any] = orjson.loads(response.read())
                return answer
        except urllib.error.HTTPError as error:
            problem = _problem(error)
            if "accepted" in problem:
                return problem
            said = f"{error.code}: {problem.get('detail', error.reason)} {problem.get('hint', '')}".strip()
            if error.code not in GONE:
                break
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            said = str(getattr(error, "reason", error))
    raise SendingFailed(
        f"The service did not take rows {part.first + 1} and those after: {said}",
        hint="Send the file again when it does: what has come is not kept twice.",
    )


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        problem = orjson.loads(error.read())
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
