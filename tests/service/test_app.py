"""The application: what becomes of its background tasks."""

import asyncio

import pytest

from service.app import log_failure


@pytest.mark.parametrize(
    ("error", "logged"), [(None, []), (asyncio.CancelledError(), []), (RuntimeError("no"), ["no"])]
)
def test_a_background_task_that_fails_is_logged(
    caplog: pytest.LogCaptureFixture, error: BaseException | None, logged: list[str]
) -> None:
    """At once, not at the end of the process; one that ends or is cancelled is none."""

    async def work() -> None:
        if error is not None:
            raise error

    async def run() -> None:
        task = asyncio.create_task(work())
        task.add_done_callback(log_failure)
        await asyncio.wait([task])

    asyncio.run(run())

    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == logged
