"""Manifest: what a folder of bulk forecasts holds, part by part, with checksums.

    part-00000.parquet …       forecasts
    _parts/part-00000.json …   a record of each part, written after it
    _plan.json                 what was asked for; another call with the same plan resumes where this one stopped
    _manifest.json             all records together, written at the end

Names that begin with `_` are skipped by pyarrow, Spark and DuckDB's usual patterns.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from models.errors import ConfigInvalid, TrainingError
from training.bulk.places import Place

PLAN, MANIFEST, RECORDS = "_plan.json", "_manifest.json", "_parts"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A series without a forecast, and why."""

    id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class PartRecord:
    """What was written of one part.

    Attributes:
        part: Its number.
        series: Series with a forecast.
        rows: Rows of the file.
        bytes: Size of the file; 0 if no series could be forecast, and then there is no file.
        sha256: Of the file, 64 hexadecimal digits.
        left_out: Series without a forecast.
        warnings: How many forecasts have a warning, by code.
    """

    part: int
    series: int
    rows: int
    bytes: int
    sha256: str
    left_out: tuple[LeftOut, ...] = ()
    warnings: Mapping[str, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON, with the name of its file."""
        return {"file": part_name(self.part) if self.bytes else None, **asdict(self)}


def part_name(number: int) -> str:
    """Return the name of a part's file."""
    return f"part-{number:05d}.parquet"


def _record_name(number: int) -> str:
    return f"part-{number:05d}.json"


def write_record(output: Place, record: PartRecord) -> None:
    """Write the record of a part, after which the part is done."""
    output.write(f"{RECORDS}/{_record_name(record.part)}", _to_json(record.to_dict()))


def begin(output: Place, plan: Mapping[str, Any]) -> dict[int, PartRecord]:
    """Return the records of the parts that an earlier call with the same plan has written.

    A part counts if its record is there and its file has the size and the SHA-256 that the record says; it is read for that.

    Raises:
        ConfigInvalid: If the folder has forecasts of another plan, a damaged plan, or files of something else.
    """
    written = output.read(PLAN)
    if written is None:
        files = [name for name in output.sizes() if not name.startswith(".")]
        if files:
            raise ConfigInvalid(
                f"{output.address}: has files already, such as {min(files)!r}.", hint="Give a new folder with --output."
            )
        output.write(PLAN, _to_json(plan))
        return {}
    known = _read_plan(output, written)
    different = [key for key in plan if known.get(key) != plan[key]]
    if different:
        raise ConfigInvalid(
            f"{output.address}: has forecasts that were asked for with other {' and '.join(different)}.",
            hint="Give another folder with --output, or delete this one.",
        )
    sizes = output.sizes()
    names = output.sizes(RECORDS)
    records = (_read_record(output, number) for number in range(plan["parts"]) if _record_name(number) in names)
    return {one.part: one for one in records if one is not None and _is_whole(output, one, sizes)}


def write_manifest(
    output: Place, plan: Mapping[str, Any], records: Sequence[PartRecord], series: int
) -> dict[str, Any]:
    """Write the manifest and return it; each series of the plan is in one part, with a forecast or left out.

    Raises:
        TrainingError: If a part is missing, or series are.
    """
    records = sorted(records, key=lambda one: one.part)
    counted = sum(one.series + len(one.left_out) for one in records)
    if [one.part for one in records] != list(range(plan["parts"])) or counted != series:
        raise TrainingError(
            f"{output.address}: {len(records)} of {plan['parts']} parts and {counted} of {series} series are written.",
            hint="Run the same command again.",
        )
    manifest = {
        **plan,
        "forecasts": sum(one.series for one in records),
        "rows": sum(one.rows for one in records),
        "bytes": sum(one.bytes for one in records),
        "left_out": sum(len(one.left_out) for one in records),
        "written": [one.to_dict() for one in records],
    }
    output.write(MANIFEST, _to_json(manifest))
    return manifest


def _read_plan(output: Place, written: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(written))
    except (ValueError, TypeError) as error:
        raise ConfigInvalid(
            f"{output.address}: {PLAN} is damaged, so what the forecasts in it are is unknown.",
            hint="Give another folder with --output, or delete this one.",
        ) from error


def _read_record(output: Place, number: int) -> PartRecord | None:
    """Return the record of a part, or None if it is missing or damaged."""
    try:
        facts = json.loads(output.read(f"{RECORDS}/{_record_name(number)}") or b"{}")
        facts.pop("file", None)
        record = PartRecord(**{**facts, "left_out": tuple(LeftOut(**one) for one in facts["left_out"])})
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
    return record if record.part == number else None


def _is_whole(output: Place, record: PartRecord, sizes: Mapping[str, int]) -> bool:
    """Return whether the file of a part is the one that was written."""
    name = part_name(record.part)
    return not record.bytes or (sizes.get(name) == record.bytes and output.sha256(name) == record.sha256)


def _to_json(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
