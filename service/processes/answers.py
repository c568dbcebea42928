"""Answers: questions to another process, each with a number by which its answer is recognized."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any

Message = Mapping[str, Any]
Ask = Callable[[Message], Awaitable[Message | None]]
"""Asks the registry process; returns its answer, or None if there is none within ANSWER_SECONDS."""

ANSWER_SECONDS = 10.0


class Answers:
    """The questions of one process that wait for an answer."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Message | None]] = {}

    async def ask(self, send: Callable[[int], object], seconds: float = ANSWER_SECONDS) -> Message | None:
        """Send a question with the number that `send` gets; return its answer, or None if there is none in time."""
        number = next(self._numbers)
        answer: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            send(number)
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._waiting[number]

    def receive(self, number: int, answer: Message | None) -> None:
        """Pass an answer, or None, to the question that waits for it; an answer that comes too late is dropped."""
        if (waiting := self._waiting.get(number)) is not None and not waiting.done():
            waiting.set_result(answer)

    def abandon(self) -> None:
        """End the waiting: the other process has ended."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)
