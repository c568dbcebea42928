"""Observe command: `almanac observe` sends a file of observations to a service, part by part."""

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import click
import orjson

from models.columns import find_separator
from models.errors import AlmanacError
from service.observations.layout import Layout, find_layout

if TYPE_CHECKING:
    import httpx

PART_ROWS = 50_000
"""Rows in one request: some megabytes."""
TRIES = 6
TIMEOUT_SECONDS = 120.0
SHOWN_ERRORS = 20
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""A part is sent again after these; sending rows that are stored already changes nothing."""
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})


class SendingFailed(AlmanacError):
    """The service does not accept what is sent."""

    code = "SENDING_FAILED"


class FileUnusable(AlmanacError):
    """The file cannot be sent."""

    code = "FILE_UNUSABLE"


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a file as a file of their own; `first` is the index of the first row in the whole file."""

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
@click.option("--frequency", help="Frequency of all series in the file, such as M or D; the service stores it.")
@click.option("--timezone", help="Timezone of timestamps without an offset: an IANA name.")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of text.")
def observe(  # noqa: PLR0913 (click's way)
    file: Path, url: str, key: str | None, frequency: str | None, timezone: str | None, *, as_json: bool
) -> int:
    """Send a long FILE (CSV or Parquet: unique_id, ds, y) to a service, which stores it.

    A file can be sent again at any time: stored rows stay as they are, and a changed value replaces the old one.
    Rows that the service refuses are listed and make the exit code 1; the others are stored.

    \b
    Example:
        almanac observe sales.csv --frequency D
    """  # noqa: D301 (click's mark for text that is not to be wrapped)
    import httpx

    query = urlencode({name: text for name, text in (("frequency", frequency), ("timezone", timezone)) if text})
    address = f"{url.rstrip('/')}/observations{f'?{query}' if query else ''}"
    if urlsplit(address).scheme not in {"http", "https"}:
        raise click.UsageError(
            f"--url {url!r} is not the address of a service. Write one such as http://127.0.0.1:8000."
        )
    accepted = refused = 0
    errors: list[dict[str, Any]] = []
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(headers=headers, timeout=TIMEOUT_SECONDS) as client:
        for part in _read(file):
            answer = _send(client, address, part)
            accepted, refused = accepted + answer["accepted"], refused + answer["refused"]
            errors += [{**error, "row": _row(error["pointer"], part)} for error in answer["errors"]]
    if as_json:
        click.echo(
            orjson.dumps({"accepted": accepted, "refused": refused, "errors": errors}, option=orjson.OPT_INDENT_2)
        )
    else:
        _report(accepted, refused, errors, url)
    return 1 if refused else 0


def _report(accepted: int, refused: int, errors: list[dict[str, Any]], url: str) -> None:
    for error in errors[:SHOWN_ERRORS]:
        click.echo(f"row {error['row']} ({error['id']}): {error['detail']} {error['hint']}", err=True)
    if refused > SHOWN_ERRORS:
        click.echo(f"… {refused - SHOWN_ERRORS} more (--json lists the first 1,000 of each {PART_ROWS}).", err=True)
    click.echo(f"{accepted} observations stored by {url}" + (f", {refused} refused." if refused else "."), err=True)


def _row(pointer: str, part: Part) -> int | None:
    """Return the row of the file that an error is about: the line after the header is row 1."""
    index = pointer.split("/")[2:3]
    return part.first + int(index[0]) + 1 if index and index[0].isdigit() else None


def _read(file: Path) -> Iterator[Part]:
    """Yield a file's rows, some at a time; raise FileUnusable if the file is broken or has no rows."""
    import pyarrow as pa

    read: Callable[[Path], Iterator[Part]] = _parquet if file.suffix.lower() in PARQUET_SUFFIXES else _csv
    part = None
    try:
        for part in read(file):
            yield part
    except UnicodeDecodeError as error:
        raise FileUnusable(f"{file}: is not UTF-8 ({error.reason}).", hint="Save it as UTF-8.") from error
    except (csv.Error, pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:200]
        raise FileUnusable(f"{file}: cannot be read ({reason}).", hint="Check the file, or write it again.") from error
    if part is None:
        raise FileUnusable(f"{file}: has no rows.", hint="Give a file with a header and at least one row.")


def _csv(file: Path) -> Iterator[Part]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        first_line = lines.readline()
        lines.seek(0)
        rows = csv.reader(lines, delimiter=find_separator(first_line))
        header = [name.strip() for name in next(rows, [])]
        layout = find_layout(header) if header else Layout("", (), "")
        seen, first = set[object](), 0
        while part := list(islice(rows, _part_rows(layout))):
            if layout.id is None:
                time_column = header.index(layout.time)
                _check_wide(file, seen, [row[time_column] for row in part if len(row) == len(header)])
            body = io.StringIO()
            csv.writer(body).writerows([header, *part])
            yield Part(body.getvalue().encode(), "text/csv", first)
            first += len(part)


def _parquet(file: Path) -> Iterator[Part]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = pq.ParquetFile(file)
    layout = find_layout(content.schema_arrow.names)
    seen, first = set[object](), 0
    for batch in content.iter_batches(batch_size=_part_rows(layout)):
        if layout.id is None:
            _check_wide(file, seen, batch.column(layout.time).to_pylist())
        body = io.BytesIO()
        pq.write_table(pa.Table.from_batches([batch]), body, compression="zstd")
        yield Part(body.getvalue(), "application/vnd.apache.parquet", first)
        first += batch.num_rows


def _part_rows(layout: Layout) -> int:
    """Return the rows of one part; each row of a wide file has an observation of each series."""
    return max(1, PART_ROWS // max(1, len(layout.values)))


def _check_wide(file: Path, seen: set[object], stamps: Sequence[object]) -> None:
    """Raise FileUnusable if a file without ids repeats a timestamp of an earlier part: then it is not wide."""
    if seen.intersection(stamps):
        raise FileUnusable(f"{file}: has no id column, and timestamps repeat.", hint="Name the id column.")
    seen.update(stamps)


def _send(client: "httpx.Client", address: str, part: Part) -> dict[str, Any]:
    """Return the service's answer to a part; send it again, after longer and longer pauses, while the service is away.

    Raises:
        SendingFailed: If the service refuses the whole part, or stays away.
    """
    import httpx

    failure = ""
    for attempt in range(TRIES):
        time.sleep(2.0**attempt / 4 if attempt else 0)
        try:
            response = client.post(address, content=part.body, headers={"content-type": part.media_type})
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failure = str(error) or type(error).__name__
            continue
        answer = _read_object(response.content)
        if "accepted" in answer:
            return answer
        reason = answer.get("detail", response.reason_phrase)
        failure = f"{response.status_code}: {reason} {answer.get('hint', '')}".strip()
        if response.status_code not in RETRIED_STATUSES:
            break
    raise SendingFailed(
        f"The service did not accept row {part.first + 1} and the rows after it: {failure}",
        hint="Send the file again later: rows that are stored already stay as they are.",
    )


def _read_object(content: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
