"""Registering: a model in a folder becomes a version in MLflow."""

import warnings
from os import environ
from pathlib import Path
from typing import Any

from models import artifact
from models.names import CHAMPION
from models.spec import ModelSpec
from training.cli.options import check_reserved
from training.config.training import check_name
from training.registry import runs
from training.registry.client import Registry
from training.registry.location import RegistryLocation

RUN = "from Python"


def register_model(folder: Path, name: str, example: Any = None) -> str:  # noqa: ANN401 - a pandas frame
    """Return the new version; it is the champion if the name has none.

    Raises:
        ConfigInvalid: If the name is none, or the starter's.
        RegistryError: If MLflow does not answer.
    """
    check_name("model", name, "as the argument")
    check_reserved(name)
    registry = Registry(RegistryLocation.from_environment(environ))
    spec = ModelSpec.from_json((folder / artifact.SPEC).read_bytes())
    tags = {"architecture": spec.architecture, "spec_digest": runs.file_digest(folder / artifact.SPEC)}
    with runs.tracked_run(registry, name, RUN) as run_id:
        registry.log(run_id, tags={"almanac.kind": "candidate", **tags})
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*input example.*", UserWarning)  # a model from a folder has none
            uri = registry.models.log_model(run_id, folder, example)
        version = registry.models.register(name, uri, run_id=run_id, tags=tags)
        if all(CHAMPION not in one.aliases for one in registry.models.versions(name)):
            registry.models.promote(name, version)
    return version
