"""Starting: what a server process does before it imports the application."""

import gc
import importlib
import sys

from models.machine.allocator import use_one_arena

UNUSED = ("pydantic.v1", "rich")
"""Modules that FastAPI and structlog import if they can, for models of pydantic 1 and for colours, which no server here has."""


def leave_out_unused() -> None:
    """Let no import look for `UNUSED`."""
    for name in UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # as Python marks a module that is not there


def prepare_process() -> None:
    """Let imports take less time, and memory stay small; `serve_app` allows searches for garbage again."""
    use_one_arena()
    gc.disable()  # what is imported and built from now on stays: no search for garbage now, and none in it later
    _import_fastapi()
    importlib.import_module("anyio._backends._asyncio")  # or the first stream imports it, on the event loop


def _import_fastapi() -> None:
    """Import FastAPI, whose models of an OpenAPI document build their validators when one is first written.

    These are most of the time that the import takes, and no other request needs them.
    """
    from pydantic import BaseModel, ConfigDict

    own = BaseModel.model_config
    BaseModel.model_config = ConfigDict(defer_build=True)
    try:
        importlib.import_module("fastapi")
    finally:
        BaseModel.model_config = own
