"""Packing: what goes into MLflow in a form that it takes: names of metrics, and a copy of the code that forecasts."""

import shutil
from pathlib import Path

import models


def copy_models(scratch: Path) -> Path:
    """Copy what predicting needs of our own code: not networks/, which would ask for Keras, nor the starters' artifacts."""
    source = Path(models.__file__).parent
    unneeded = shutil.ignore_patterns("networks", "starters", "__pycache__")
    return shutil.copytree(source, scratch / "models", ignore=unneeded)


def key_of(name: str) -> str:
    """MLflow's keys have letters, digits and `_-. /:`; anything else of a layer's name becomes a dash."""
    return "".join(letter if letter.isalnum() or letter in "_-. /:" else "-" for letter in name)[:250]
