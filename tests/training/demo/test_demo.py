"""Demo: what it asks, what it shows, and how it ends."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner

from training.demo import demo
from training.processes import ChildFailed

ANSWER = {
    "model": {"name": "temperatures", "version": "3"},
    "forecasts": [{"timestamps": ["1940-01"], "median": [4.0], "intervals": {"80": {"lower": [3.0], "upper": [5.0]}}}],
    "errors": [],
}


@contextmanager
def answering(status: int, body: object) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve one fixed answer on loopback; yield the address and what was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            asked[-1]["authorization"] = self.headers["Authorization"]
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep the test's output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def test_the_question_is_ten_real_years_of_nottingham() -> None:
    """120 measured months up to December 1939, 24 months ahead."""
    request = demo.nottingham_request()

    series = request["series"][0]
    assert (series["start"], len(series["values"]), request["horizon"]) == ("1930-01", 120, 24)
    assert series["values"][-1] == 3.22


def test_the_question_reaches_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes to /forecast as it is, with the key of the environment."""
    monkeypatch.setenv("ALMANAC_API_KEY", "secret")
    with answering(200, ANSWER) as (address, asked):
        answer = demo.post_forecast(address, demo.nottingham_request())

    assert answer == ANSWER
    assert asked[0]["horizon"] == 24
    assert asked[0]["authorization"] == "Bearer secret"


def test_a_refusal_is_shown_with_its_text() -> None:
    """What the service says against the question is passed on."""
    with (
        answering(422, {"code": "HORIZON_INVALID"}) as (address, _),
        pytest.raises(ChildFailed, match=r"422.*HORIZON_INVALID"),
    ):
        demo.post_forecast(address, demo.nottingham_request())


def test_a_failed_training_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is served after a training that failed."""
    monkeypatch.setattr(demo, "CONFIG", demo.HERE / "no-such.toml")

    with pytest.raises(ChildFailed, match="exit code"):
        demo.train({})


def test_help_shows_an_example() -> None:
    """`almanac demo --help` says how it is called."""
    assert "almanac demo --once" in CliRunner().invoke(demo.demo, ["--help"]).output


def test_an_interrupt_ends_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is a way to stop, not an error."""
    with demo.interruptible():
        raise KeyboardInterrupt

    assert "Stopped." in capsys.readouterr().out
