"""PartReader: the rows of a part, from its files."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from models.errors import DataInvalid
from training.bulk.layout import Layout, Part, id_columns, is_text, open_parquet
from training.bulk.places import Place


class PartReader:
    """Reads the rows of parts; the row group that was read last stays in memory, since the next part mostly goes on there.

    Args:
        place: The folder or file.
        layout: Where its series are.
        covariates: Columns beside the values.
    """

    def __init__(self, place: Place, layout: Layout, covariates: Sequence[str] = ()) -> None:
        """Open nothing yet."""
        self._system, _ = place.open()
        self._layout = layout
        columns = layout.columns
        self._ids = id_columns(columns)
        self._columns = [*self._ids, str(columns.time), str(columns.value), *covariates]
        self._opened = lru_cache(maxsize=2)(self._open)
        self._group = lru_cache(maxsize=2)(self._read_group)

    def read(self, part: Part) -> Any:  # noqa: ANN401 - pyarrow's
        """Return the rows of a part as a `pyarrow.Table`; raises DataInvalid if a file cannot be read or has changed."""
        import pyarrow as pa

        found = []
        for rows in part.ranges:
            _, edges = self._opened(rows.file)
            if edges[-1] < rows.stop:
                file = self._layout.files[rows.file]
                raise DataInvalid(f"{file.path}: has changed since it was scanned.", hint="Run the command again.")
            first = int(np.searchsorted(edges, rows.start, side="right")) - 1
            for group in range(first, len(edges) - 1):
                if edges[group] >= rows.stop:
                    break
                start = max(rows.start - edges[group], 0)
                stop = min(rows.stop, edges[group + 1]) - edges[group]
                found.append(self._group(rows.file, group).slice(start, stop - start))
        return pa.concat_tables(found, promote_options="permissive").unify_dictionaries()

    def _open(self, number: int) -> tuple[Any, list[int]]:
        """Return a file, and the rows at which its row groups begin, then its number of rows."""
        file = self._layout.files[number]
        schema = open_parquet(self._system, file).schema_arrow
        opened = open_parquet(self._system, file, [name for name in self._ids if is_text(schema.field(name).type)])
        metadata = opened.metadata
        counts = [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)]
        return opened, np.cumsum([0, *counts]).tolist()

    def _read_group(self, number: int, group: int) -> Any:  # noqa: ANN401 - pyarrow's
        opened, _ = self._opened(number)
        return opened.read_row_group(group, columns=self._columns, use_threads=False)
