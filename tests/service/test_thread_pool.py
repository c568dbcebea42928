"""Thread pool: what large requests hold is freed in a thread."""

import asyncio
import threading
import weakref
from collections.abc import Iterator

import pytest

from service.errors import JsonInvalid
from service.thread_pool import ThreadPool


class Held:
    """An object that can be referred to weakly."""


@pytest.fixture
def threads() -> Iterator[ThreadPool]:
    """A pool that ends with the test."""
    pool = ThreadPool(8, threads=1, name="large")
    yield pool
    pool.close()


def test_what_is_discarded_is_freed_in_a_thread(threads: ThreadPool) -> None:
    """Once the frames of the request have ended, whose last deed it is."""
    freed: list[str] = []

    async def answer() -> None:
        held = tuple(Held() for _ in range(3))
        for one in held:
            weakref.finalize(one, lambda: freed.append(threading.current_thread().name))
        del one
        threads.discard(held, [])

    async def run() -> None:
        await answer()
        await asyncio.sleep(0)
        await threads.run(int)  # after it, on the same thread

    asyncio.run(run())

    assert freed == ["large_0"] * 3


def test_an_error_holds_nothing_of_what_was_decoded(threads: ThreadPool) -> None:
    """Neither its frames nor those of its cause; a discarded context, such as pydantic's with the whole input, is gone."""
    decoded: list[weakref.ref[Held]] = []

    def decode() -> None:
        one = Held()
        decoded.append(weakref.ref(one))
        try:
            raise ValueError(one)  # noqa: TRY301 (as pydantic does)
        except ValueError:
            raise JsonInvalid("It is wrong.", hint="Send another.") from None

    with pytest.raises(JsonInvalid) as caught:
        asyncio.run(threads.run(decode))

    assert decoded[0]() is None
    assert caught.value.detail == "It is wrong."
