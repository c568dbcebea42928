"""Link: one server process's connection to the parent process, which holds the registry process and names the leader.

Both sides write one JSON object a line. The process sends {"started": true}, {"fetch": [name, version]}, {"wake": true} and
{"ask": question, "number": …}; the parent sends {"lead": true}, {"wake": true} and {"answer": …, "number": …}. The parent's end of the process's standard input closes when the parent
ends for any reason; then the process shuts down.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import orjson

from service.processes.answers import Answers, Message

BACKLOG = 2048
"""Connections that may wait to be accepted."""


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """What the parent tells a process when it starts it.

    Attributes:
        place: Number of the process, from 0; a process that replaces another has the same.
        workers: How many processes there are.
        socket: File descriptor of its listening socket.
        host: Address that the socket is bound to.
        index: Name of the registry's index in the cache, which the parent's registry process writes.
        folder: Folder of the shared metrics and facts.
        is_replacement: Whether it replaces a process that ended.
    """

    place: int
    workers: int
    socket: int
    host: str
    index: str
    folder: str
    is_replacement: bool = False

    def to_json(self) -> str:
        """Return the options as one argument of a command line."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the options in an argument."""
        return cls(**orjson.loads(text))


class ProcessLink:
    """The connection of one process; `leads` is whether it does what only one process may do."""

    def __init__(self, options: ProcessOptions, channel: int) -> None:
        """Send to the file descriptor `channel`; nothing is received before `listen`."""
        self.options = options
        self.folder = Path(options.folder)
        self.leads = False
        self.is_orphaned = False
        self.listener = socket.socket(fileno=options.socket)
        self._channel = channel
        self._answers = Answers()

    @classmethod
    def over_standard_streams(cls, options: ProcessOptions) -> Self:
        """Return a link over standard input and output; what is printed goes to standard error from now on."""
        channel = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        os.set_blocking(channel, False)
        return cls(options, channel)

    def accept(self) -> None:
        """Let connections arrive, and tell the parent."""
        self.listener.listen(BACKLOG)
        self._send({"started": True})

    def fetch(self, name: str, version: str) -> None:
        """Ask the registry process to fetch a version."""
        self._send({"fetch": [name, version]})

    async def ask(self, question: Message) -> Message | None:
        """Return the registry process's answer, or None if there is none in time."""
        return await self._answers.ask(lambda number: self._send({"ask": question, "number": number}))

    def wake_leader(self) -> None:
        """Tell the leader that observations have arrived."""
        self._send({"wake": True})

    async def listen(self, wake: Callable[[], None]) -> None:
        """Receive until cancelled; call `wake` when the leader has work, and shut down when the parent has ended."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async for line in reader:
            self.receive(line, wake)
        self.is_orphaned = True
        os.kill(os.getpid(), signal.SIGTERM)

    def receive(self, line: bytes, wake: Callable[[], None]) -> None:
        """Act on one line."""
        message = orjson.loads(line)
        if "number" in message:
            self._answers.receive(message["number"], message["answer"])
            return
        self.leads = self.leads or "lead" in message
        wake()

    def _send(self, message: object) -> None:
        with suppress(OSError):  # the parent has ended, or does not read
            os.write(self._channel, orjson.dumps(message) + b"\n")
