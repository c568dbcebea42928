"""Server: one process that serves an application with uvicorn until it gets a signal to end."""

import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from types import FrameType

import uvicorn
from fastapi import FastAPI

from service.api.middleware import record_refusal
from service.cli.http_protocol import bounded_protocol
from service.cli.timing import CLOSING_SECONDS
from service.settings import Settings

logger = logging.getLogger("almanac")

SWITCH_SECONDS = 0.001
"""How long a thread keeps the interpreter while the event loop waits for it; Python's 5 ms delay health checks."""

GARBAGE = (50_000, 10, 10)
"""Thresholds for a search for cyclic garbage: with Python's 700 objects a large request spends a tenth of its time so."""
GARBAGE_SECONDS = 0.25
"""Time between two looks at these thresholds."""

THREADS_SECONDS = 1.0
"""How long threads have to end once everything is closed."""

KEEP_ALIVE_SECONDS = 75
"""Longer than nginx keeps an idle connection (60), so that nginx never sends into a closed one."""


def serve_app(app: FastAPI, settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; then requests in progress have `drain_seconds` to end."""
    sys.setswitchinterval(SWITCH_SECONDS)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=bounded_protocol(
            settings.header_timeout_seconds,
            settings.body_timeout_seconds,
            partial(record_refusal, app.state.service.metrics, access_log=settings.access_log),
        ),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_graceful_shutdown=settings.drain_seconds,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    gc.freeze()
    gc.disable()
    threading.Thread(target=_collect, name="garbage", daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)  # uvicorn raises the signal again when it has ended

    class Server(uvicorn.Server):
        """A server that logs the signal that ends it."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """Log the signal, and shut down."""
            logger.info(
                "%s: waiting up to %d s for requests in progress", signal.Signals(sig).name, settings.drain_seconds
            )
            watchdog = threading.Timer(settings.drain_seconds + CLOSING_SECONDS, _exit_now, ["the shutdown"])
            watchdog.daemon = True
            watchdog.start()
            super().handle_exit(sig, frame)

    try:
        Server(config).run(sockets=[listener])
    finally:
        _leave()


def _collect() -> None:
    """Search for cyclic garbage as Python does, but in this thread: the event loop would search what large requests hold."""
    while True:
        time.sleep(GARBAGE_SECONDS)
        collect_due()


def collect_due() -> None:
    """Search the oldest generation that is due for cyclic garbage, if one is."""
    due = [at for at, (count, most) in enumerate(zip(gc.get_count(), GARBAGE, strict=True)) if count > most]
    if due:
        gc.collect(due[-1])


def _leave() -> None:
    """End the process if a thread still computes: Python would wait for it. The forecasts are logged by now."""
    deadline = time.monotonic() + THREADS_SECONDS
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                _exit_now(f"the thread {thread.name}")


def _exit_now(what: str) -> None:
    logger.warning("%s did not end in time: the process exits", what)
    logging.shutdown()
    os._exit(0)


def _exit(_number: int, _frame: object) -> None:
    sys.exit(0)
