"""Model code: the package that a registered model brings along, so that MLflow can load it anywhere.

It holds a copy of `models` under a name that no other package has. So the model loads beside a package `models` of the user,
and beside a model of another version of Almanac.
"""

import hashlib
import shutil
from pathlib import Path

import models

NAME = "almanac_model_"
"""Beginning of the package's name; a digest of its files follows."""

DIGITS = 12

INIT = '''"""A model of Almanac: `models` beside this file is imported under a name of this package."""

from pathlib import Path
from typing import Any

from .models.private_names import PrivateNames

PrivateNames(__name__, str(Path(__file__).parent), ("models",)).install()


def _load_pyfunc(path: str) -> Any:
    """Return the model as MLflow calls it."""
    from .models.artifact import _load_pyfunc

    return _load_pyfunc(path)
'''


def write_model_code(scratch: Path) -> Path:
    """Write the package into a folder, and return its path; its name is the module that MLflow loads."""
    copied = copy_models(scratch)
    total = hashlib.sha256(INIT.encode())
    for file in sorted(copied.rglob("*.py")):
        total.update(f"{file.relative_to(copied)}\0".encode() + file.read_bytes())
    package = scratch / f"{NAME}{total.hexdigest()[:DIGITS]}"
    package.mkdir()
    copied.rename(package / "models")
    (package / "__init__.py").write_text(INIT)
    return package


def copy_models(scratch: Path) -> Path:
    """Copy the package `models` without networks/, which needs Keras, and starters/; return the copy's path."""
    source = Path(models.__file__).parent
    unneeded = shutil.ignore_patterns("networks", "starters", "__pycache__")
    return shutil.copytree(source, scratch / "models", ignore=unneeded)
