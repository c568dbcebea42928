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

    A part counts if its record is there and its file has the size that the record says.

    Raises:
        ConfigInvalid: If the folder has forecasts of another plan, or files of something else.
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
    known = json.loads(written)
    different = [key for key in plan if known.get(key) != plan[key]]
    if different:
        raise ConfigInvalid(
            f"{output.address}: has forecasts that were asked for with other {' and '.join(different)}.",
            hint="Give another folder with --output, or delete this one.",
        )
    sizes = output.sizes()
    records = [_read_record(output, name) for name in output.sizes(RECORDS) if name.endswith(".json")]
    return {one.part: one for one in records if not one.bytes or sizes.get(part_name(one.part)) == one.bytes}


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


def _read_record(output: Place, name: str) -> PartRecord:
    facts = json.loads(output.read(f"{RECORDS}/{name}") or b"{}")
    facts.pop("file", None)
    return PartRecord(**{**facts, "left_out": tuple(LeftOut(**one) for one in facts["left_out"])})


def _to_json(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
