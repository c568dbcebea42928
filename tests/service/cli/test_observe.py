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


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Return a running service."""
    with Serving(tmp_path_factory.mktemp("home"), MLFLOW_TRACKING_URI="http://127.0.0.1:1") as serving:
        yield serving


def run(serving: Serving, *arguments: str) -> Result:
    """Run the command against a service, as a person does."""
    return CliRunner().invoke(observe, [*arguments, "--url", str(serving.client.base_url)], standalone_mode=False)


def test_a_file_is_sent_in_parts(serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row arrives, of CSV and of Parquet, also where the last part is not full."""
    monkeypatch.setattr(module, "PART_ROWS", 7)
    days = [f"2024-01-{day:02d}" for day in range(1, 25)]
    (tmp_path / "a.csv").write_text("ds,unique_id,y\n" + "".join(f'{day},"c,{day[:4]}",{day[-2:]}\n' for day in days))
    pq.write_table(pa.table({"unique_id": ["p"] * 24, "ds": days, "y": range(24)}), tmp_path / "b.parquet")

    results = [run(serving, str(tmp_path / name), "--frequency", "D") for name in ("a.csv", "b.parquet")]

    assert [result.return_value for result in results] == [0, 0], results
    for name, first in (("c,2024", 1.0), ("p", 0.0)):
        known = serving.client.get(f"/series/{name}").json()
        assert (known["observations"], known["frequency"], known["values"][0]) == (24, "D", first)


def test_refused_rows_are_told_by_their_row_in_the_file(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever part they were sent in; the exit code says it too, and the rest is kept."""
    monkeypatch.setattr(module, "PART_ROWS", 2)
    file = tmp_path / "a.csv"
    file.write_text("id,ds,y\nr,2024-01-01,1\nr,2024-01-02,1\nr,2024-01-03,1\nr,2024-01-04,warm\nr,soon,1\n")

    plain, machine = run(serving, str(file)), run(serving, str(file), "--json")

    assert plain.return_value == 1
    assert "row 4 (r): The value is 'warm'." in plain.stderr
    told = json.loads(machine.stdout)
    assert (told["accepted"], told["refused"], [one["row"] for one in told["errors"]]) == (3, 2, [4, 5])


def test_what_the_service_refuses_whole_is_one_line(serving: Serving, tmp_path: Path) -> None:
    """A file without the columns is the service's to judge."""
    (tmp_path / "a.csv").write_text("when,what\n2024,1\n")

    assert "There is no column `id`" in str(run(serving, str(tmp_path / "a.csv")).exception)


def test_a_service_that_is_away_is_asked_again_and_then_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With longer pauses, and an error that says that the file may be sent again."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    (tmp_path / "a.csv").write_text("id,ds,y\na,2024,1\n")

    result = CliRunner().invoke(
        observe, [str(tmp_path / "a.csv"), "--url", "http://127.0.0.1:1"], standalone_mode=False
    )

    assert isinstance(result.exception, SendingFailed)
    assert pauses == sorted(pauses)
    assert len(pauses) == module.TRIES


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.parquet", b"PAR1 and no more", "cannot be read"),
        ("a.csv", "id,ds,y\na,2024-01-01,1\n".encode("utf-16"), "is no UTF-8"),
        ("a.csv", b"", "holds no rows"),
        ("a.csv", b"id,ds,y\n", "holds no rows"),
    ],
)
def test_a_file_that_cannot_be_sent_is_one_sentence(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """It names the file; nothing sent is no success."""
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(FileUnusable, match=f"{name}: {said}"):
        CliRunner().invoke(
            observe, [str(file), "--url", "http://127.0.0.1:1"], standalone_mode=False, catch_exceptions=False
        )
