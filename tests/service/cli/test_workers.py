"""The parent of the workers: who leads, what it passes on, and which sockets they get."""

import asyncio
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import click
import pytest

from service.cli.listening import SPREADS, bind_worker, listen, reserve
from service.cli.worker import share
from service.cli.workers import Workers
from service.processes.answers import Message
from service.processes.link import ProcessLink, ProcessOptions
from service.settings import Settings


class Sent:
    """The standard input of a process that is not there."""

    def __init__(self) -> None:
        """Nothing was sent."""
        self.lines: list[bytes] = []
        self.write = self.lines.append

    def is_closing(self) -> bool:
        """Return that it is open."""
        return False


@pytest.fixture
def parent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 (its private parts are used)
    """Return a parent of three workers that are being started."""
    del capsys
    with reserve("127.0.0.1", 0) as reserved:
        workers: Any = Workers(Settings(home=tmp_path, workers=3), "127.0.0.1", reserved, tmp_path)
        workers._running = {place: cast("Any", SimpleNamespace(stdin=Sent())) for place in range(3)}
        yield workers


def sent(parent: Any, place: int) -> list[bytes]:  # noqa: ANN401
    """Return what a worker was sent."""
    return cast("list[bytes]", parent._running[place].stdin.lines)


def test_one_worker_leads_and_another_takes_over_when_it_ends(parent: Any) -> None:  # noqa: ANN401
    """The first that answers requests; it stays leader when others start, and one that is still starting is left out."""
    for place in (1, 0):
        parent._receive(place, b'{"started": true}\n')
    assert [sent(parent, place) for place in range(3)] == [[], [b'{"lead":true}\n'], []]

    parent._forget(1)

    assert (parent._leader, sent(parent, 0), sent(parent, 2)) == (0, [b'{"lead":true}\n'], [])


def test_what_a_worker_sends_reaches_the_leader_or_the_registry(parent: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """Observations wake the leader; a version is fetched by the only registry process."""
    fetched = list[tuple[str, str]]()
    monkeypatch.setattr(parent._supervisor, "fetch", lambda *version: fetched.append(version))
    parent._receive(2, b'{"started": true}\n')

    parent._receive(0, b'{"wake": true}\n')
    parent._receive(0, b'{"fetch": ["temperatures", "3"]}\n')

    assert sent(parent, 2)[1:] == [b'{"wake":true}\n']
    assert fetched == [("temperatures", "3")]


def test_a_question_of_a_worker_is_answered_to_it(parent: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """By the only registry process, with the question's number."""

    async def ask(question: dict[str, str]) -> dict[str, str]:
        return {"seen": question["move"]}

    async def converse() -> Message | None:
        link = ProcessLink(ProcessOptions(1, 3, socket.socket().detach(), "", "", ""), channel)
        answer = asyncio.create_task(link.ask({"move": "rain"}))
        await asyncio.sleep(0)
        parent._receive(1, os.read(received, 1000))
        await asyncio.gather(*parent._asking)
        link.listener.close()
        link.receive(sent(parent, 1)[0], lambda: None)
        return await answer

    monkeypatch.setattr(parent._supervisor, "ask", ask)
    received, channel = os.pipe()

    assert asyncio.run(converse()) == {"seen": "rain"}
    assert (sent(parent, 0), sent(parent, 2)) == ([], [])
    os.close(received)
    os.close(channel)


def test_a_taken_port_is_refused_although_workers_share_ports() -> None:
    """Two services do not share one without noticing."""
    with listen("127.0.0.1", 0) as taken, pytest.raises(click.ClickException, match="Choose another --port"):
        reserve("127.0.0.1", taken.getsockname()[1])


@pytest.mark.skipif(not SPREADS, reason="the workers share one socket")
def test_a_worker_that_does_not_listen_gets_no_connection() -> None:
    """One that is starting, and one that has ended: the others answer."""
    host = "127.0.0.1"
    with reserve(host, 0) as reserved, bind_worker(reserved, host) as ready, bind_worker(reserved, host):
        ready.listen()
        ready.settimeout(5)

        for _ in range(8):
            with socket.create_connection(reserved.getsockname(), timeout=5):
                ready.accept()[0].close()


def test_workers_share_what_may_wait(tmp_path: Path) -> None:
    """The settings are those of the whole service."""
    shared = share(Settings(home=tmp_path, max_queue=64, max_ledger=5), 2)

    assert (shared.workers, shared.max_queue, shared.max_ledger) == (2, 32, 3)


def test_a_worker_that_cannot_be_started_is_tried_again(parent: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """The others go on; without the first workers there is no service."""
    tried: list[bool] = []

    async def start(_place: int, *, is_replacement: bool) -> None:
        tried.append(is_replacement)
        if len(tried) > 1:
            parent._stopping.set()
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(parent, "_start", start)
    monkeypatch.setattr("service.cli.workers.FIRST_DELAY_SECONDS", 0)
    parent._started = {0}

    asyncio.run(parent._keep(0))

    assert (tried, parent._has_failed) == ([False, True], False)
