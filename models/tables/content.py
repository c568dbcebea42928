"""Content: the format of a file by its first bytes, and its text in whatever encoding it has."""

import gzip
import io
import re
import zlib
from pathlib import PurePath

from models.errors import Finding
from models.tables.faults import TableInvalid

CSV, PARQUET, WORKBOOK, JSON_LINES, GZIP = "csv", "parquet", "workbook", "json lines", "gzip"

MOST_BYTES = 2 * 1024**3
"""Most bytes that a compressed file may become."""

MAGIC = ((b"PAR1", PARQUET), (b"\x1f\x8b", GZIP), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", WORKBOOK))
UNREAD = (
    (b"ARROW1", "a Feather or Arrow file", "Write it as Parquet: pandas.read_feather(file).to_parquet(…)."),
    (b"FEA1", "a Feather file", "Write it as Parquet: pandas.read_feather(file).to_parquet(…)."),
    (b"BZh", "compressed with bzip2", "Decompress it: bunzip2 FILE."),
    (b"\xfd7zXZ", "compressed with xz", "Decompress it: unxz FILE."),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "Decompress it: unzstd FILE."),
    (b"7z\xbc\xaf", "a 7z archive", "Take the file out of it."),
    (b"SQLite format 3\0", "a SQLite database", "Export the table as CSV."),
    (b"\x89HDF", "an HDF5 file", "Write the table as Parquet or CSV."),
    (b"Obj\x01", "an Avro file", "Write it as Parquet or CSV."),
    (b"%PDF", "a PDF", "Export the table as CSV."),
    (b"\x80\x04\x95", "a pickle", "Write it as Parquet: pandas.read_pickle(file).to_parquet(…)."),
)
"""First bytes of files that are not read: what they are, and what to do."""

_ZIP = b"PK\x03\x04"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def find_kind(content: bytes, name: str = "") -> str:
    """Return the format of a file by its first bytes; of text by the suffix of its name and its first character.

    Raises:
        TableInvalid: If it is of a format that is not read, by name.
    """
    for magic, kind in MAGIC:
        if content.startswith(magic):
            return kind
    if content.startswith(_ZIP):
        if _is_workbook(content):
            return WORKBOOK
        raise TableInvalid("is a ZIP archive.", hint="Take the file out of it: unzip FILE.")
    for magic, what, hint in UNREAD:
        if content.startswith(magic):
            raise TableInvalid(f"is {what}.", hint=hint)
    return _kind_of_text(content, name)


def _kind_of_text(content: bytes, name: str) -> str:
    """Return the format of what has no magic bytes; raise TableInvalid if its name or first character says otherwise."""
    suffixes = {suffix.lower() for suffix in PurePath(name).suffixes}
    if suffixes & {".parquet", ".pq"}:
        raise TableInvalid("is not a Parquet file: it does not begin with PAR1.", hint="Check the file.")
    if suffixes & {".xlsx", ".xls", ".xlsm", ".ods"}:
        raise TableInvalid(
            "is not a workbook, whatever its name says.", hint="Give the suffix that it is of, or save it again."
        )
    start = content[:2048].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] == b"<":
        raise TableInvalid("is HTML or XML.", hint="Export the table as CSV.")
    if suffixes & {".jsonl", ".ndjson", ".json"} or re.match(rb"\{|\[\s*\{", start):
        return JSON_LINES
    return CSV


def _is_workbook(content: bytes) -> bool:
    """Return whether a ZIP archive has the parts of an .xlsx or .ods file."""
    import zipfile

    try:
        names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
    return any(name.startswith("xl/") for name in names) or {"mimetype", "content.xml"} <= set(names)


def unpack(content: bytes) -> bytes:
    """Return what a gzip file holds.

    Raises:
        TableInvalid: If it is broken, or holds more than MOST_BYTES.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            found = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise TableInvalid(f"cannot be decompressed ({error}).", hint="Compress it again.") from error
    if len(found) > MOST_BYTES:
        raise TableInvalid("unpacks to more than 2 GiB.", hint="Split it, or write it as Parquet.")
    return found


def _refuse_utf16(content: bytes) -> None:
    """Raise TableInvalid if text is in UTF-16 without a byte order mark: of western letters every other byte is zero."""
    start = content[:2048]
    for zeros, letters, name in ((start[1::2], start[::2], "UTF-16LE"), (start[::2], start[1::2], "UTF-16BE")):
        if zeros.count(0) > len(zeros) // 2 and 0 not in letters:
            hint = f"Save it as UTF-8, or convert it: iconv -f {name} -t UTF-8 FILE > NEW."
            raise TableInvalid(f"is in {name} without a byte order mark.", hint=hint)


def decode(content: bytes, *, guess: bool) -> tuple[str, tuple[Finding, ...]]:
    """Return text in UTF-8, in UTF-16 with a byte order mark or, where it may be guessed, in Windows-1252.

    Raises:
        TableInvalid: If it is in none of these.
    """
    if content.startswith(_UTF16):
        try:
            return content.decode("utf-16"), (Finding("ENCODING", "The text is read as UTF-16."),)
        except UnicodeDecodeError as error:
            raise TableInvalid(f"is not in UTF-16, as it begins ({error.reason}).", hint="Save it again.") from error
    if b"\0" in content:
        _refuse_utf16(content)
        raise TableInvalid("is not text: it has zero bytes.", hint="Give CSV, Parquet, .xlsx or JSON lines.")
    try:
        return content.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        convert = "Convert it: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW."
        if not guess:
            raise TableInvalid("is not in UTF-8.", hint=f"Save it as UTF-8. {convert}") from error
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            other = "iconv -f ENCODING -t UTF-8 FILE > NEW, where the encoding may be SHIFT_JIS, GB18030 or EUC-KR."
            detail = "is neither in UTF-8 nor in Windows-1252."
            raise TableInvalid(detail, hint=f"Save it as UTF-8, or convert it: {other}") from error
        before, after = (re.split(r"[,;\t\r\n]", part) for part in (text[: error.start], text[error.start :]))
        word = (before[-1] + after[0])[:80]
        finding = Finding("ENCODING", f"The file is not in UTF-8; it is read as Windows-1252: {word!r}.", hint=convert)
        return text, (finding,)
