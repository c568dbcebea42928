import json
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from service.cli import observe as module
from service.cli.observe import FileUnusable, SendingFailed, observe
from tests.service.server_process import Serving

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Run a service."""
    with Serving(tmp_path_factory.mktemp("home"), MLFLOW_TRACKING_URI=NOWHERE) as serving:
        yield serving


def run(url: object, *arguments: object) -> Result:
    """Run the command against a service."""
    return CliRunner().invoke(observe, [*map(str, arguments), "--url", str(url)], standalone_mode=False)


def test_a_file_is_sent_in_parts(serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row of a CSV and of a Parquet file arrives, also when the last part is not full."""
    monkeypatch.setattr(module, "PART_ROWS", 7)
    days = [f"2024-01-{day:02d}" for day in range(1, 25)]
    (tmp_path / "a.csv").write_text("ds,unique_id,y\n" + "".join(f'{day},"c,{day[:4]}",{day[-2:]}\n' for day in days))
    pq.write_table(pa.table({"unique_id": ["p"] * 24, "ds": days, "y": range(24)}), tmp_path / "b.parquet")

    results = [
        run(serving.client.base_url, tmp_path / name, "--frequency", "D", "--timezone", "UTC")
        for name in ("a.csv", "b.parquet")
    ]

    assert [result.return_value for result in results] == [0, 0], results
    for name, first in (("c,2024", 1.0), ("p", 0.0)):
        known = serving.client.get(f"/series/{name}").json()
        assert (known["observations"], known["frequency"], known["values"][0]) == (24, "D", first)
        assert known["timezone"] == "UTC"


def test_refused_rows_are_reported_by_their_row_in_the_file(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row numbers count through all parts; the exit code is 1, and the other rows are stored."""
    monkeypatch.setattr(module, "PART_ROWS", 2)
    file = tmp_path / "a.csv"
    file.write_text("id,ds,y\nr,2024-01-01,1\nr,2024-01-02,1\nr,2024-01-03,1\nr,2024-01-04,warm\nr,soon,1\n")

    plain, machine = (run(serving.client.base_url, file, *options) for options in ([], ["--json"]))

    assert plain.return_value == 1
    assert "row 4 (r):" in plain.stderr
    report = json.loads(machine.stdout)
    assert (report["accepted"], report["refused"]) == (3, 2)
    assert [one["row"] for one in report["errors"]] == [4, 5]


def test_a_file_that_the_service_refuses_whole_is_not_sent_again(serving: Serving, tmp_path: Path) -> None:
    """The service's own error is in the message."""
    (tmp_path / "a.csv").write_text("when,what\n2024,1\n")

    error = run(serving.client.base_url, tmp_path / "a.csv").exception

    assert isinstance(error, SendingFailed)
    assert "422: " in str(error)


def test_sending_is_retried_with_longer_pauses_and_then_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that does not answer is asked TRIES times."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    (tmp_path / "a.csv").write_text("id,ds,y\na,2024,1\n")

    error = run(NOWHERE, tmp_path / "a.csv").exception

    assert isinstance(error, SendingFailed)
    assert pauses == sorted(set(pauses))
    assert len(pauses) == module.TRIES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"PAR1 and no more"),
        ("a.csv", "id,ds,y\na,2024-01-01,1\n".encode("utf-16")),
        ("a.csv", b""),
        ("a.csv", b"id,ds,y\n"),
    ],
    ids=["broken", "not UTF-8", "empty", "a header alone"],
)
def test_an_unusable_file_is_an_error_with_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    """A file without rows is an error too: nothing was sent."""
    file = tmp_path / name
    file.write_bytes(content)

    error = run(NOWHERE, file).exception

    assert isinstance(error, FileUnusable)
    assert str(file) in str(error)
