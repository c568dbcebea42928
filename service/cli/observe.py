"""Observe command: `almanac observe` sends a file of observations to a service, part by part."""

import io
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import click
import numpy as np
import orjson
from numpy.typing import NDArray

from models.calendar.timestamps import NO_OFFSET
from models.columns import EXPORT_METADATA, TIMEZONE
from models.errors import AlmanacError, Finding
from models.tables.faults import TableInvalid
from models.tables.options import ReadOptions
from models.tables.read import read_columns, read_sheet
from service.cli.resumable import MOST_ERRORS, Resumable
from service.observations.columns import RawColumns
from service.observations.files import rows_of

if TYPE_CHECKING:
    import httpx

PART_ROWS = 50_000
"""Rows in one request: some megabytes."""
TRIES = 6
TIMEOUT_SECONDS = 120.0
LONGEST_PAUSE = 60.0
SHOWN_ERRORS = 20
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""A part is sent again after these; sending rows that are stored already changes nothing."""
BELOW_HEADER = 2
"""Row of the file that is place 0."""
MEDIA_TYPE = "application/vnd.apache.parquet"


Noticed = dict[str, list[dict[str, str]]]
"""The `warnings` and `repairs` of the service."""


class SendingFailed(AlmanacError):
    """The service does not accept what is sent."""

    code = "SENDING_FAILED"


class FileUnusable(AlmanacError):
    """The file cannot be sent."""

    code = "FILE_UNUSABLE"


UNAUTHORIZED, HEADER = 401, "Authorization"
UNREACHABLE_HINT = "Check --url, and that `almanac serve` runs."
KEY_HINT = (
    "Give a key of the scope record with --key or in ALMANAC_API_KEY; `almanac key add --scope record` creates one."
)


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a file as a Parquet file; `places` are their rows in the whole file, 0 below the header."""

    body: bytes
    places: list[int]


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
@click.option("--id-column", metavar="NAME", multiple=True, help="Column with the series ids; several as A,B.")
@click.option("--time-column", metavar="NAME", help="Column with the timestamps.")
@click.option("--value-column", metavar="NAME", help="Column of a long file with the values.")
@click.option("--date-format", metavar="FORMAT", help="How dates are written, such as %d/%m/%Y.")
@click.option("--decimal", metavar="SIGN", help="What separates decimals: . or a comma.")
@click.option("--thousands", metavar="SIGN", help="What separates thousands.")
@click.option("--sheet", metavar="NAME", help="Sheet of an Excel file.")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of text.")
def observe(  # noqa: PLR0913 (click's way)
    file: Path,
    url: str,
    key: str | None,
    frequency: str | None,
    timezone: str | None,
    *,
    id_column: tuple[str, ...],
    time_column: str | None,
    value_column: str | None,
    date_format: str | None,
    decimal: str | None,
    thousands: str | None,
    sheet: str | None,
    as_json: bool,
) -> int:
    """Send a FILE (CSV, Parquet, Excel or JSON lines, long or wide, also .gz) to a service, which stores it.

    A file can be sent again at any time: stored rows stay as they are, and a changed value replaces the old one.
    Rows that the service refuses are listed and make the exit code 1; the others are stored. A large file is sent in parts;
    after an interruption FILE.progress knows what is sent, and the same command resumes.

    \b
    Example:
        almanac observe sales.csv --frequency D
    """  # noqa: D301 (click's mark for text that is not to be wrapped)
    query = urlencode({name: text for name, text in (("frequency", frequency), ("timezone", timezone)) if text})
    address = f"{url.rstrip('/')}/observations{f'?{query}' if query else ''}"
    if urlsplit(address).scheme not in {"http", "https"}:
        raise click.UsageError(
            f"--url {url!r} is not the address of a service. Write one such as http://127.0.0.1:8000."
        )
    columns = ReadOptions(id_column, time_column, value_column, decimal, thousands, date_format, sheet)
    parts, errors, findings = _read(file, columns)
    for finding in findings:
        click.echo(f"{finding.detail} {finding.hint}".strip(), err=True)
    unreadable = len(errors)
    path = file.with_name(f"{file.name}.progress")
    state = Resumable.open(path, file.read_bytes(), {"address": address, "columns": str(columns), "rows": PART_ROWS})
    accepted, refused, noticed = _send_all(parts, address, key, errors, state)
    refused += unreadable
    if as_json:
        said = {
            "warnings": [
                *({"code": one.code, "detail": one.detail, "hint": one.hint} for one in findings),
                *noticed["warnings"],
            ],
            "repairs": noticed["repairs"],
        }
        report = {"accepted": accepted, "refused": refused, "errors": errors, **said}
        click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    else:
        _report_noticed(noticed)
        _report(accepted, refused, errors, url)
    return 1 if refused else 0


def _send_all(
    parts: Sequence[Part], address: str, key: str | None, errors: list[dict[str, Any]], state: Resumable
) -> tuple[int, int, Noticed]:
    """Send the parts of a file, add the errors of their rows to `errors`, and return what the service says of the others.

    These are the numbers of rows that are accepted and refused, and its warnings and repairs, of one series and code the first.
    Parts that `state` knows as done are not sent again.
    """
    import httpx

    accepted, refused = int(state.facts.get("accepted", 0)), int(state.facts.get("refused", 0))
    found: list[dict[str, Any]] = list(state.facts.get("errors", []))
    noticed: Noticed = {name: list(state.facts.get(name, [])) for name in ("warnings", "repairs")}
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(headers=headers, timeout=TIMEOUT_SECONDS) as client:
        for number, part in enumerate(_shown(parts, state.done), start=state.done + 1):
            answer = _send(client, address, part)
            accepted, refused = accepted + answer["accepted"], refused + answer["refused"]
            found += [{**error, "row": _row(error["pointer"], part)} for error in answer["errors"]]
            for name, kept in noticed.items():
                _add(kept, answer.get(name, []))
            if len(parts) > 1:
                state.keep(number, {"accepted": accepted, "refused": refused, "errors": found[:MOST_ERRORS], **noticed})
    state.end()
    errors += found
    return accepted, refused, noticed


def _add(kept: list[dict[str, str]], new: Iterable[dict[str, str]]) -> None:
    """Add what is new of a series and code, to at most MOST_ERRORS."""
    known = {(one.get("id"), one["code"]) for one in kept}
    kept += [one for one in new if (one.get("id"), one["code"]) not in known][: MOST_ERRORS - len(kept)]


def _report_noticed(noticed: Noticed) -> None:
    lines = [f"{one['detail']} {one['hint']}".strip() for one in noticed["warnings"]]
    lines += [f"{one['id']}: {one['detail']}" for one in noticed["repairs"]]
    for line in lines[:SHOWN_ERRORS]:
        click.echo(line, err=True)
    if len(lines) > SHOWN_ERRORS:
        click.echo(f"… {len(lines) - SHOWN_ERRORS} more remarks (--json lists them).", err=True)


def _shown(parts: Sequence[Part], done: int) -> Iterable[Part]:
    """Return the parts that are left; a terminal shows how many are sent."""
    if len(parts) == 1 or not sys.stderr.isatty():
        return parts[done:]
    from rich.console import Console
    from rich.progress import track

    return track(
        parts[done:], "observations", total=len(parts), completed=done, console=Console(stderr=True), transient=True
    )


def _report(accepted: int, refused: int, errors: list[dict[str, Any]], url: str) -> None:
    for error in errors[:SHOWN_ERRORS]:
        click.echo(f"row {error['row']} ({error['id']}): {error['detail']} {error['hint']}", err=True)
    if refused > SHOWN_ERRORS:
        click.echo(f"… {refused - SHOWN_ERRORS} more (--json lists the first 1,000 of each {PART_ROWS}).", err=True)
    click.echo(f"{accepted} observations stored by {url}" + (f", {refused} refused." if refused else "."), err=True)


def _row(pointer: str, part: Part) -> int | None:
    """Return the row of the file that an error is about: the header is row 1, as for `almanac train`."""
    index = pointer.split("/")[2:3]
    return part.places[int(index[0])] + BELOW_HEADER if index and index[0].isdigit() else None


def _read(file: Path, columns: ReadOptions) -> tuple[list[Part], list[dict[str, Any]], tuple[Finding, ...]]:
    """Return a file's rows in parts, an error for each row that is wrong, and what was noticed.

    Raises:
        FileUnusable: If the file cannot be read, or has no rows.
    """
    try:
        sheet = read_sheet(file.read_bytes(), file.name, columns)
        reading = read_columns(sheet, columns, strict=True)
        rows = rows_of(reading, hint_of=str)
    except TableInvalid as error:
        found = error.at(file)
        raise FileUnusable(found.detail, hint=found.hint) from error
    except AlmanacError as error:
        raise FileUnusable(f"{file}: {error.detail}", hint=error.hint) from error
    except OSError as error:
        raise FileUnusable(f"{file}: cannot be read ({error.strerror}).", hint="Check the file.") from error
    wrong = [_error(at, error, rows) for at, error in sorted(rows.faults.items())]
    kept = np.delete(np.arange(len(rows.ids)), [*rows.faults])
    return list(_parts(rows, kept)), wrong, reading.findings


def _error(at: int, error: AlmanacError, rows: RawColumns) -> dict[str, Any]:
    """Return a wrong row as the service does."""
    pointer = rows.pointer_to(at, error.pointer)
    row = int(pointer.split("/")[2]) + BELOW_HEADER
    found = {"code": error.code, "detail": error.detail, "pointer": pointer, "hint": error.hint}
    return {"id": str(rows.ids[at]), **found, "row": row}


def _parts(rows: RawColumns, kept: NDArray[np.int64]) -> Iterator[Part]:
    """Yield the valid rows as Parquet files of `unique_id`, `ds` and `y`, of rows with zones as the service exports them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids, stamps = pa.array(rows.ids, pa.string()), pa.array(_stamps(rows, kept), pa.string())
    if rows.zones:
        stamps = pa.array(_utc(rows)[kept], pa.timestamp("us"))
    for start in range(0, len(kept), PART_ROWS):
        at = kept[start : start + PART_ROWS]
        columns = {
            "unique_id": ids.take(pa.array(at)),
            "ds": stamps.slice(start, len(at)),
            "y": np.asarray(rows.values)[at],
        }
        if rows.zones:
            columns[TIMEZONE] = pa.array([rows.zones.get(rows.ids[one]) for one in at.tolist()], pa.string())
        part = pa.table(columns).replace_schema_metadata(EXPORT_METADATA if rows.zones else None)
        body = io.BytesIO()
        pq.write_table(part, body, compression="zstd")
        yield Part(body.getvalue(), [rows.place(one) for one in at.tolist()])


def _utc(rows: RawColumns) -> NDArray[np.datetime64]:
    """Return instants of rows with an offset, wall clocks of the others, as an export has them."""
    walls, offsets = np.asarray(rows.timestamps), np.asarray(rows.offsets)
    utc: NDArray[np.datetime64] = walls - np.where(offsets == NO_OFFSET, 0, offsets).astype("m8[us]")
    return utc


def _stamps(rows: RawColumns, kept: NDArray[np.int64]) -> list[str]:
    """Return the timestamps of valid rows in ISO 8601, with the offsets that they have."""
    walls, offsets = np.asarray(rows.timestamps)[kept], np.asarray(rows.offsets)[kept]
    days = bool((walls == walls.astype("M8[D]")).all())
    texts = np.datetime_as_string(walls.astype("M8[D]") if days and (offsets == NO_OFFSET).all() else walls).tolist()
    shown = {offset: _offset(offset) for offset in np.unique(offsets).tolist()}
    return [text + shown[offset] for text, offset in zip(texts, offsets.tolist(), strict=True)]


def _offset(microseconds: int) -> str:
    if microseconds == NO_OFFSET:
        return ""
    hours, rest = divmod(abs(microseconds) // 1_000_000, 3600)
    return f"{'-' if microseconds < 0 else '+'}{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"


def _send(client: "httpx.Client", address: str, part: Part) -> dict[str, Any]:
    """Return the service's answer to a part; send it again, after longer and longer pauses, while the service is away.

    Raises:
        SendingFailed: If the service refuses the whole part, or stays away.
    """
    import httpx

    failure, wanted, remedy = "", 0.0, ""
    for attempt in range(TRIES):
        time.sleep(max(2.0**attempt / 4, wanted) if attempt else 0)
        try:
            response = client.post(address, content=part.body, headers={"content-type": MEDIA_TYPE})
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failure, remedy = f"{str(error) or type(error).__name__}.", UNREACHABLE_HINT
            continue
        answer = _read_object(response.content)
        if "accepted" in answer:
            return answer
        reason = answer.get("detail", f"{response.reason_phrase}.")
        failure, remedy = f"{response.status_code}: {reason}", answer.get("hint", "")
        if response.status_code == UNAUTHORIZED and HEADER in remedy:
            remedy = KEY_HINT
        if response.status_code not in RETRIED_STATUSES:
            break
        wanted = _retry_after(response.headers.get("retry-after", ""))
    raise SendingFailed(
        f"The service did not accept row {part.places[0] + BELOW_HEADER} and the rows after it: {failure}",
        hint=f"{remedy} Then give the same command again: it resumes there, and rows that are stored already do not change.",
    )


def _retry_after(header: str) -> float:
    """Return the seconds of a Retry-After header, at most LONGEST_PAUSE; 0 without them."""
    return min(float(header), LONGEST_PAUSE) if header.strip().isdecimal() else 0.0


def _read_object(content: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
