import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from service.cli import observe as module
from service.cli.observe import FileUnusable, SendingFailed, observe
from tests.service.server_process import NO_REGISTRY, PROGRAM, ServerProcess
from tests.stand_in import stand_in
from training.config.training import Columns
from training.data.reader import read_table

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Run a service."""
    with ServerProcess(tmp_path_factory.mktemp("home"), program=NO_REGISTRY + PROGRAM) as serving:
        yield serving


def run(url: object, *arguments: object) -> Result:
    """Run the command against a service."""
    return CliRunner().invoke(observe, [*map(str, arguments), "--url", str(url)], standalone_mode=False)


def test_a_file_is_sent_in_parts(serving: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    serving: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row numbers count through all parts, the header being row 1; the exit code is 1, and the other rows are stored."""
    monkeypatch.setattr(module, "PART_ROWS", 2)
    file = tmp_path / "a.csv"
    file.write_text("id,ds,y\nr,2024-01-01,1\nr,2024-01-02,1\nr,2024-01-03,1\nr,2024-01-04,warm\nr,soon,1\n")

    plain, machine = (run(serving.client.base_url, file, *options) for options in ([], ["--json"]))

    assert plain.return_value == 1
    assert "row 5 (r):" in plain.stderr
    report = json.loads(machine.stdout)
    assert (report["accepted"], report["refused"]) == (3, 2)
    assert [one["row"] for one in report["errors"]] == [5, 6]


def test_what_was_guessed_is_printed(serving: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the reader of the file and by the service, each once for all parts."""
    monkeypatch.setattr(module, "PART_ROWS", 2)
    file = tmp_path / "a.csv"
    file.write_text("id,date,value\n" + "".join(f"guess,2024-01-0{day}T00:00+02:00,1.00{day}\n" for day in range(1, 6)))

    plain, machine = (run(serving.client.base_url, file, *options) for options in ([], ["--json"]))

    report = json.loads(machine.stdout)
    assert "NUMBERS_READ" in [one["code"] for one in report["warnings"]]
    assert plain.stderr.count("guess: All timestamps have the offset +02:00") == 1


def test_a_file_that_the_service_refuses_whole_is_not_sent_again(serving: ServerProcess, tmp_path: Path) -> None:
    """The service's own error is in the message."""
    (tmp_path / "a.csv").write_text("id,ds,y\na,2024,1\n")

    error = run(serving.client.base_url, tmp_path / "a.csv", "--timezone", "Nowhere").exception

    assert isinstance(error, SendingFailed)
    assert "422: " in str(error)


LONG = [("{id}", "2024-01-01", "1.5"), ("{id}", "2024-01-02", "2"), ("{id} 2", "2024-01-01", "-3")]
WIDE = [("2024-01-01", "1.5", "-3"), ("2024-01-02", "2", "")]
FILES: dict[str, tuple[str, list[tuple[str, ...]]]] = {
    "usual names": (",", [("unique_id", "ds", "y"), *LONG]),
    "other names": (",", [("id", "date", "value"), *LONG]),
    "any value name, semicolons": (";", [("Series", "Timestamp", "Sales"), *LONG]),
    "tabs, any order": ("\t", [("target", "item_id", "month"), *((y, name, ds) for name, ds, y in LONG)]),
    "no time name": (",", [("when", "series_id", "sold"), *((ds, name, y) for name, ds, y in LONG)]),
    "wide": (",", [("date", "{id}", "{id} 2"), *WIDE]),
    "german": (
        ";",
        [("id", "Datum", "Menge"), *((i, f"{d[8:]}.{d[5:7]}.{d[:4]}", y.replace(".", ",")) for i, d, y in LONG)],
    ),
    "one series": (";", [("week ending", "{id}"), ("2024-01-01", "1.5"), ("2024-01-08", "2")]),
}


def write_files(folder: Path, name: str) -> list[Path]:
    """Write each of FILES as CSV and as Parquet, with series of these names."""
    paths = []
    for kind, (separator, rows) in FILES.items():
        path = folder / f"{name} {kind}.csv"
        path.write_text("\n".join(separator.join(row) for row in rows).format(id=f"{name} {kind}"))
        pd.read_csv(path, sep=separator, dtype=str if kind == "german" else None).to_parquet(
            path.with_suffix(".parquet")
        )
        paths += [path, path.with_suffix(".parquet")]
    return paths


def test_a_file_that_trains_can_be_observed_and_posted(serving: ServerProcess, tmp_path: Path) -> None:
    """Whatever the names of its columns, long or wide: the service stores what a training reads."""
    for path in write_files(tmp_path, "observed"):
        assert run(serving.client.base_url, path).return_value == 0, path
    for path in write_files(tmp_path, "posted"):
        kind = {"content-type": "text/csv" if path.suffix == ".csv" else "application/octet-stream"}
        serving.client.post("/observations", content=path.read_bytes(), headers=kind).raise_for_status()

    stored = pd.read_parquet(io.BytesIO(serving.client.get("/observations/export").content)).set_index("unique_id")
    for path in tmp_path.iterdir():
        rows = read_table(path, Columns()).rows
        ids = np.array(rows.ids)[rows.codes]
        trained = pd.DataFrame({"unique_id": ids, "ds": rows.ds, "y": rows.y}).sort_values(["unique_id", "ds"])
        found = stored.loc[trained["unique_id"].unique()].reset_index()[[*trained.columns]]
        pd.testing.assert_frame_equal(found, trained.reset_index(drop=True), check_dtype=False)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_without_its_id_column_is_refused(
    serving: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """Its timestamps repeat, so that it is not wide, also where no single part shows it."""
    monkeypatch.setattr(module, "PART_ROWS", 4)
    file = tmp_path / "a.csv"
    file.write_text("store,date,sold\n1,2024-01-01,5\n1,2024-01-02,5\n2,2024-01-01,5\n2,2024-01-02,5\n")
    pd.read_csv(file).to_parquet(file.with_suffix(".parquet"))

    error = run(serving.client.base_url, file.with_suffix(suffix)).exception

    assert isinstance(error, FileUnusable)


def test_sending_is_retried_with_longer_pauses_and_then_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that does not answer is asked TRIES times."""
    pauses: list[float] = []
    monkeypatch.setattr(module, "time", stand_in(time, sleep=pauses.append))
    (tmp_path / "a.csv").write_text("id,ds,y\na,2024,1\n")

    error = run(NOWHERE, tmp_path / "a.csv").exception

    assert isinstance(error, SendingFailed)
    assert pauses == sorted(set(pauses))
    assert len(pauses) == module.TRIES


def test_an_interrupted_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that are sent are not sent again, and count; a finished command leaves no file, and sends all again."""
    monkeypatch.setattr(module, "PART_ROWS", 2)
    sent: list[int] = []

    def send(_client: object, _address: str, part: module.Part) -> dict[str, object]:
        sent.append(part.places[0])
        if len(sent) == 2:
            raise SendingFailed("The service is away.")
        return {"accepted": len(part.places), "refused": 0, "errors": []}

    monkeypatch.setattr(module, "_send", send)
    file = tmp_path / "a.csv"
    file.write_text("id,ds,y\n" + "".join(f"r,2024-01-0{day},1\n" for day in range(1, 7)))

    results = [run(NOWHERE, file, "--json") for _ in range(3)]

    assert isinstance(results[0].exception, SendingFailed)
    assert sent == [0, 2, 2, 4, 0, 2, 4]
    assert [json.loads(one.stdout)["accepted"] for one in results[1:]] == [6, 6]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("900", 60.0), ("", 0.0), ("tomorrow", 0.0)])
def test_retry_after_is_kept(header: str, seconds: float) -> None:
    """Up to a minute."""
    assert module._retry_after(header) == seconds


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"PAR1 and no more"),
        ("a.csv", b"BZh9 and no more"),
        ("a.csv", b"store,item,ds,y\n" + b"".join(b"%d,%d,2024,1\n" % (at // 3, at % 3) for at in range(9))),
        ("a.csv", b""),
        ("a.csv", b"id,ds,y\n"),
    ],
    ids=["broken", "of another format", "with unnamed keys", "empty", "a header alone"],
)
def test_an_unusable_file_is_an_error_with_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    """A file without rows is an error too: nothing was sent."""
    file = tmp_path / name
    file.write_bytes(content)

    error = run(NOWHERE, file).exception

    assert isinstance(error, FileUnusable)
    assert str(file) in str(error)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            httpx.ConnectError("[Errno 111] Connection refused"),
            "Connection refused. Check --url, and that `almanac serve`",
        ),
        (
            httpx.Response(401, json={"detail": "No key.", "hint": "Send `Authorization: Bearer KEY`."}),
            "401: No key. Give a key.*--key.*record",
        ),
        (
            httpx.Response(403, json={"detail": "Wrong.", "hint": "Create one."}),
            "403: Wrong. Create one. Then give the same",
        ),
    ],
)
def test_what_the_service_refuses_has_a_remedy_for_the_command_line(
    monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception, text: str
) -> None:
    """To which the same command is given again."""

    def respond(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(module, "TRIES", 1)
    with httpx.Client(transport=httpx.MockTransport(respond)) as client, pytest.raises(SendingFailed, match=text):
        module._send(client, "http://service/observations", module.Part(b"", [0]))
