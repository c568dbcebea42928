"""Starting: what a server process does before it imports the application."""

import gc
import sys

from models.machine.allocator import use_one_arena


def prepare_process() -> None:
    """Let imports take less time, and memory stay small; `serve_app` allows searches for garbage again."""
    use_one_arena()
    gc.disable()  # what is imported and built from now on stays: no search for garbage now, and none in it later
    sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type] # FastAPI imports it to see whether a model is one of it
