"""Observations of a service as a file: complete, or no file."""

import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.errors import ConfigInvalid, DataInvalid, ServiceUnreachable
from training.config.toml import read_config
from training.config.training import TrainConfig, train_config
from training.data.series_set import read_series
from training.service_client.client import Address
from training.service_client.observations import fetch_observations, keep_frequency, local_data

Serve = Callable[[bytes, int], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that starts a server with one response and returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(body: bytes, status: int = 200, length: int | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Respond with the body if path and key are right."""
                right = self.path == "/observations/export" and self.headers["authorization"] == "Bearer alm_x"
                self.send_response(status if right else 401)
                self.send_header("content-length", str(len(body) if length is None else length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def parquet(steps: dict[str, str], length: int = 40) -> bytes:
    """Return an export of series by their steps, such as `h` or `MS`."""
    frames = [
        pd.DataFrame(
            {"unique_id": name, "ds": pd.date_range("2020", periods=length, freq=step), "y": np.arange(length) % 7.0}
        )
        for name, step in steps.items()
    ]
    whole = pd.concat([pd.DataFrame({"unique_id": [], "ds": pd.to_datetime([]), "y": []}), *frames]) if frames else None
    file = io.BytesIO()
    (pd.concat(frames) if whole is not None else pd.DataFrame({"unique_id": [], "ds": [], "y": []})).to_parquet(file)
    return file.getvalue()


def test_an_export_is_a_file_like_any_other(serve: Serve, tmp_path: Path) -> None:
    """It is stored under its digest in ALMANAC_HOME, and a second download gives the same file."""
    url = serve(parquet({"a": "MS", "b": "MS"}), 200)
    config = TrainConfig(Path("service"), 6, name="weather")
    environment = {"ALMANAC_HOME": str(tmp_path), "ALMANAC_SERVICE_URL": url, "ALMANAC_API_KEY": "alm_x"}

    frozen, findings = local_data(config, environment)

    assert frozen.data.parent == tmp_path / "exports"
    assert frozen.data.name.startswith("weather-")
    assert [path.name for path in frozen.data.parent.iterdir()] == [frozen.data.name]
    assert [one.id for one in read_series(frozen.data).series] == ["a", "b"]
    assert findings == ()
    assert local_data(config, environment)[0].data == frozen.data


@pytest.mark.parametrize(
    ("body", "status", "key", "error", "words"),
    [
        (parquet({}), 200, "alm_x", DataInvalid, "has no observations"),
        (parquet({"a": "MS"})[:-9], 200, "alm_x", ServiceUnreachable, "not a complete Parquet file"),
        (b"<html>", 200, "alm_x", ServiceUnreachable, "6 bytes"),
        (b'{"detail": "Busy.", "hint": "Wait."}', 503, "alm_x", ServiceUnreachable, "answers 503: Busy. Wait."),
        (b"", 200, None, ServiceUnreachable, "answers 401"),
    ],
)
def test_a_failed_download_leaves_no_file(  # noqa: PLR0913, PLR0917 (the response, and the error)
    serve: Serve, tmp_path: Path, body: bytes, status: int, key: str | None, error: type[Exception], words: str
) -> None:
    """Empty, incomplete, not Parquet, refused: an error, and no file."""
    address = Address(serve(body, status), key)

    with pytest.raises(error) as caught:
        fetch_observations(address, tmp_path / "data.parquet")

    assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_without_a_service_the_setting_is_named(tmp_path: Path) -> None:
    """No address is set, or nothing listens there."""
    for address in (None, Address("http://127.0.0.1:9")):
        with pytest.raises(ServiceUnreachable, match="ALMANAC_SERVICE_URL"):
            fetch_observations(address, tmp_path / "data.parquet")


def test_series_of_another_frequency_are_left_out(tmp_path: Path) -> None:
    """The configuration's frequency decides; the finding has the number and one id."""
    path = tmp_path / "data.parquet"
    path.write_bytes(parquet({"a": "MS", "fast": "h", "b": "MS"}))

    (finding,) = keep_frequency(path, "M")

    assert finding.code == "FREQUENCY_OTHER"
    assert "1 of 3" in finding.detail
    assert "'fast'" in finding.detail
    assert [one.id for one in read_series(path, frequency="M").series] == ["a", "b"]
    assert keep_frequency(path, "M") == ()
    with pytest.raises(DataInvalid, match="2 series"):
        keep_frequency(path, "D")


def test_service_is_no_path_and_needs_a_name(tmp_path: Path) -> None:
    """In a configuration `service` is never a path relative to the file."""
    (tmp_path / "a.toml").write_text('data = "service"\nhorizon = 6\n')

    settings = read_config(tmp_path / "a.toml")

    assert settings["data"] == "service"
    with pytest.raises(ConfigInvalid, match="name"):
        train_config(settings)
    assert train_config({**settings, "name": "weather"}).data == Path("service")


def test_rows_without_a_value_are_left_out(serve: Serve, tmp_path: Path) -> None:
    """A null off the calendar, which cancels a wrong timestamp, does not make the series unreadable."""
    frame = pd.read_parquet(io.BytesIO(parquet({"a": "MS"})))
    wrong = pd.DataFrame({"unique_id": "a", "ds": pd.to_datetime(["2021-03-31"]), "y": [np.nan]})
    file = io.BytesIO()
    pd.concat([frame, wrong]).to_parquet(file)

    path = fetch_observations(Address(serve(file.getvalue(), 200), "alm_x"), tmp_path / "e.parquet")

    (series,) = read_series(path).series
    assert (len(series), series.observed) == (40, 40)
