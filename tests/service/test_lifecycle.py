"""The lifecycle of a server process: promotion under load, a failing registry, shutdown."""

import os
import shutil
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from models.audit import log
from service.cli.serve import serve
from service.serving.registry_index import RegisteredModel
from tests.service.home import Artifacts, ServiceHome, eventually
from tests.service.registrar import Registrar
from tests.service.server_process import ServerProcess, command_of

MONTHS = [float(month) for month in range(1, 61)]
REQUEST = {"series": [{"start": "2000-01", "frequency": "M", "values": MONTHS}], "horizon": 1}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, registrar: Registrar) -> Iterator[ServerProcess]:
    """Return a ready server with that registry, one for all tests: its child takes seconds to import mlflow."""
    with ServerProcess(tmp_path_factory.mktemp("server"), MLFLOW_TRACKING_URI=registrar.uri) as server:
        yield server.ready()


def ask(client: httpx.Client, **changes: Any) -> tuple[str, float]:  # noqa: ANN401 (any field of the request)
    """Return the version that answers, and its first forecast."""
    response = client.post("/forecast", json={**REQUEST, **changes})
    assert response.status_code == 200, response.text
    answer = response.json()
    return answer["model"]["version"], answer["forecasts"][0]["median"][0]


def cached(server: ServerProcess, version: str, name: str = "temperatures") -> str | None:
    """Return the digest of a version in a server's cache, or None."""
    model = server.cache.read().models.get(name, RegisteredModel())
    return model.versions[version].digest if version in model.versions else None


def is_listed(server: ServerProcess, version: str, name: str = "temperatures") -> bool:
    """Return whether a server lists a version."""
    models = server.client.get("/models").json()["models"]
    return any(model["name"] == name and version in model["versions"] for model in models)


def test_a_promotion_under_load_drops_no_request(
    server: ServerProcess, registrar: Registrar, artifacts: Artifacts
) -> None:
    """Each is answered by either version, and at last by the new one."""
    before = ask(server.client)
    after = (registrar.register("temperatures", artifacts.get(name="temperatures", shift=100.0)), MONTHS[-12] + 100.0)
    answers: list[tuple[str, float]] = []
    done = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=30) as client:
            while not done.is_set():
                answers.append(ask(client))

    with ThreadPoolExecutor(4) as threads:
        runs = [threads.submit(load) for _ in range(4)]
        eventually(lambda: len(answers) > 100, "no load")
        move = {"version": after[0], "reason": "Warmer."}
        promoted = server.client.post("/models/temperatures/champion", json=move)
        eventually(lambda: ask(server.client) == after, "the promotion was not noticed")
        count = len(answers)
        eventually(lambda: len(answers) > count + 100, "no load after the promotion")
        done.set()
        for run in runs:
            run.result()

    assert set(answers) == {before, after}
    expected = {"name": "temperatures", "champion": after[0], "previous": before[0], "changed": True}
    expected |= {"live": [], "evidence": None}
    assert promoted.json() == expected
    again = server.client.post("/models/temperatures/champion", json=move)
    assert again.json() == {**expected, "changed": False}


def test_a_rollback_over_rest_is_in_the_registry_and_in_the_audit_log(server: ServerProcess) -> None:
    """And is served soon; what is not there is unknown."""
    post = partial(server.client.post, "/models/temperatures/rollback")
    champion, body = ask(server.client)[0], {"reason": "Too warm."}

    answers = [post(json={**body, "version": champion}).json() for _ in range(2)]

    eventually(lambda: ask(server.client)[0] == answers[0]["champion"], "the rollback was not noticed")
    assert [(one["previous"], one["changed"]) for one in answers] == [(champion, True), (champion, False)]
    lines = [line.data for line in log.read(server.cache.root.parent)][-2:]
    assert [(line["actor"], line["alias"], line["version"], line["reason"]) for line in lines] == [
        ("address:127.0.0.1", "champion", answers[0]["champion"], "Too warm."),
        ("address:127.0.0.1", "previous", champion, "Too warm."),
    ]
    assert server.client.post("/models/snow/rollback", json=body).status_code == 404
    assert post(json=body).json()["champion"] == champion


def test_a_version_that_is_not_cached_is_fetched_on_request(
    server: ServerProcess, registrar: Registrar, artifacts: Artifacts
) -> None:
    """503 with Retry-After at first."""
    version = registrar.register("temperatures", artifacts.get(name="temperatures", shift=200.0))
    eventually(lambda: is_listed(server, version), "the version is not listed")
    request = {**REQUEST, "model": f"temperatures/{version}"}

    first = server.client.post("/forecast", json=request)

    assert first.status_code == 503
    assert first.json()["code"] == "MODEL_LOADING"
    assert int(first.headers["retry-after"]) > 0
    eventually(lambda: server.client.post("/forecast", json=request).status_code == 200, "it was not fetched")
    assert ask(server.client, model=f"temperatures/{version}") == (version, MONTHS[-12] + 200.0)


def test_a_damaged_artifact_is_fetched_again(server: ServerProcess, registrar: Registrar, artifacts: Artifacts) -> None:
    """It is not loaded, because its digest is wrong."""
    version = registrar.register("temperatures", artifacts.get(name="temperatures", shift=300.0), "challenger")
    eventually(lambda: cached(server, version) is not None, "the challenger was not fetched")
    digest = cached(server, version)
    assert digest is not None
    (server.cache.path(digest) / "network.onnx").write_bytes(b"broken")
    request = {**REQUEST, "model": "temperatures@challenger"}

    eventually(
        lambda: server.client.post("/forecast", json=request).json().get("code") == "MODEL_LOADING",
        "the damage was not noticed",
    )

    eventually(lambda: server.client.post("/forecast", json=request).status_code == 200, "it was not replaced")
    assert server.cache.contains(digest)


def test_a_foreign_model_is_refused(server: ServerProcess, registrar: Registrar, tmp_path: Path) -> None:
    """The service goes on, and a request without `model` does not mean it."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "weights.txt").write_text("1 2 3")
    version = registrar.register("foreign", foreign, "champion")
    eventually(lambda: is_listed(server, version, "foreign"), "the foreign model is not listed")

    eventually(
        lambda: server.client.post("/forecast", json={**REQUEST, "model": "foreign"}).json()["code"] == "MODEL_REFUSED",
        "the foreign model was not refused",
    )
    assert ask(server.client)


def test_a_killed_registry_process_is_restarted_and_sigterm_waits_for_requests_in_progress(home: ServiceHome) -> None:
    """The cache answers meanwhile; a request whose body is incomplete at the signal is answered, then both processes end."""
    home.publish("temperatures", "1")
    with ServerProcess(home.path) as server:
        server.ready()
        eventually(lambda: server.child() is not None, "no child")
        child = server.child()
        assert child is not None
        os.kill(child, signal.SIGKILL)

        answer = ask(server.client)

        eventually(lambda: server.child() not in {None, child}, "the child was not restarted")
        successor = server.child()
        last = answer_after_sigterm(server)
        code = server.process.wait(20)

    assert answer == ("1", MONTHS[-12])
    assert last.startswith(b"HTTP/1.1 200")
    assert code == 0
    assert server.log().count("SIGTERM: ") == 1
    assert successor is not None
    eventually(lambda: command_of(successor) == "", "the child still runs")


def answer_after_sigterm(server: ServerProcess) -> bytes:
    """Return the answer to a request, half of whose body is sent after the server got a signal to end."""
    body = httpx.Request("POST", "http://x", json=REQUEST).content
    head = (
        "POST /forecast HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection((server.client.base_url.host, server.client.base_url.port or 0)) as connection:
        connection.sendall(head + body[:10])
        eventually(
            lambda: "almanac_requests_in_flight 2.0" in server.client.get("/metrics").text, "the request did not begin"
        )
        server.process.terminate()
        connection.sendall(body[10:])
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_server_with_a_cache_needs_no_registry(home: ServiceHome) -> None:
    """It is ready, the starter answers too, and /models shows the error."""
    home.publish("temperatures", "1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        with ServerProcess(home.path, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{port}") as server:
            answer = ask(server.ready().client)
            eventually(
                lambda: server.client.get("/models").json()["registry"]["state"] == "unreachable",
                "the error was not noticed",
            )
            starter = server.client.post("/forecast", json={**REQUEST, "model": "starter"})

    assert answer == ("1", MONTHS[-12])
    assert starter.status_code == 200


def test_a_used_port_is_an_error(tmp_path: Path) -> None:
    """On one line, with exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = str(used.getsockname()[1])
        result = CliRunner().invoke(serve, ["--port", port], env={"ALMANAC_HOME": str(tmp_path)})

    assert result.exit_code == 1
    assert "Cannot listen" in result.output


@pytest.mark.prove
def test_a_replaced_registry_file_restarts_the_child(home: ServiceHome, registrar: Registrar) -> None:
    """It ends cleanly, and the model in memory answers meanwhile."""
    home.path.mkdir()
    database = home.path / "mlflow.db"
    shutil.copy(registrar.path, database)
    (home.path / "artifacts").symlink_to(registrar.path.with_name("artifacts"))
    with ServerProcess(home.path) as server:
        before = ask(server.ready().client, model="temperatures")
        child = server.child()

        database.unlink()
        sqlite3.connect(database).close()

        eventually(lambda: server.child() not in {None, child}, "no new child")
        eventually(lambda: "replaced" in server.log(), server.log())
        eventually(lambda: server.client.get("/models").json()["registry"]["state"] == "emptied", server.log())
        after = ask(server.client, model="temperatures")

    assert after == before
    assert "Fatal Python error" not in server.log()


def test_two_servers_in_one_home_are_independent(server: ServerProcess) -> None:
    """Each polls its own registry and writes its own index; one that is killed leaves no child."""
    with ServerProcess(server.cache.root.parent) as second:
        eventually(lambda: second.cache.changed() and second.cache.read().state == "absent", second.log())

        answers = {ask(one.client, model="temperatures") for one in (server, second)}

        assert server.cache.read().state == "ok"
        assert second.cache.index != server.cache.index
        assert len(answers) == 1
        child = second.child()
        assert child is not None
        second.process.kill()
        second.process.wait()
        eventually(lambda: command_of(child) == "", "a killed server leaves a child")
