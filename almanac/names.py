"""Names: under which names this process imports `models`, `service` and `training`.

In a notebook they are `almanac.models`, `almanac.service` and `almanac.training`: the plain names belong to the user. In a
process of our own, such as that of the command line, they are the plain names, and always mean our packages.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

OWN = ("models", "service", "training")
FOLDER = str(Path(__file__).resolve().parents[1])
"""Contains our packages: `almanac` and those of `OWN`."""


def _mechanism() -> ModuleType:
    """Return models/private_names.py by its path: its name may already mean another package."""
    spec = spec_from_file_location("almanac.private_names", Path(FOLDER) / "models" / "private_names.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{FOLDER}/models/private_names.py is missing. Install almanac-forecast again.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_NAMES = _mechanism()
_PRIVATE = _NAMES.PrivateNames("almanac", FOLDER, OWN)
_PINNED = _NAMES.PinnedNames(FOLDER, OWN)


def keep_private() -> None:
    """Import our packages as `almanac.models` and so on."""
    if _PRIVATE not in sys.meta_path:
        _PRIVATE.install()


def claim() -> None:
    """Let the plain names mean our packages in this whole process; nothing changes if another package has one already."""
    if _PINNED not in sys.meta_path and not any(map(_is_foreign, OWN)):
        _PINNED.install()
        _PRIVATE.is_whole = False


def resolve(module: str) -> str:
    """Return the name under which this process imports a module of ours, such as `training.cli.train`."""
    is_private = _PINNED not in sys.meta_path and module.partition(".")[0] in OWN
    return f"almanac.{module}" if is_private else module


def _is_foreign(name: str) -> bool:
    """Return whether a package of this name, but from another folder, is imported."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and Path(file).resolve().parents[1] != Path(FOLDER)
