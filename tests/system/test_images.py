"""The service's image, built without Docker from its lock and files."""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.composition.images import instructions
from models import starters
from tests.system.programs import START_SECONDS, ask, mlflow_server
from tests.system.registration import register, registry_at
from training.processes import LOOPBACK, ChildProcess, free_port, running

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "service.Dockerfile"


def copy(sources: list[str], target: Path) -> None:
    """Copy like COPY in a Dockerfile: a folder becomes the target, and files are copied into it."""
    for source in (ROOT / source for source in sources):
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the first stage of the Dockerfile, and return its virtual environment.

    Wheels come from pip's cache if they are there, and only what is imported is compiled: that takes a third of the time.
    """
    folder = tmp_path_factory.mktemp("image")
    for _, words in [step for step in instructions(DOCKERFILE) if step[0] == "COPY" and "--from" not in step[1]]:
        *sources, target = words.split()
        copy(sources, folder / target.strip("/"))
    steps = [words for name, words in instructions(DOCKERFILE) if name == "RUN" and "/opt/venv" in words]
    for words in steps:
        script = words.replace("python -m venv", f"{sys.executable} -m venv").replace("/opt/venv", f"{folder}/venv")
        script = re.sub(r"(?<=\s)/src\b", f"{folder}/src", script).replace("--no-cache-dir", "--no-compile")
        command = ["/bin/sh", "-euc", script]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 commands of the Dockerfile
    return folder / "venv"


@pytest.fixture(scope="module")
def service(image: Path, empty_mlflow: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildProcess]:
    """Serve a model from an MLflow server, in the environment of the image."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(empty_mlflow, home / "mlflow.db")
    with mlflow_server(f"sqlite:///{home / 'mlflow.db'}", home) as tracking:
        with registry_at(tracking.address, home) as registry:
            registry.models.promote("temperatures", register(registry, home))
        port = free_port(18500)
        command = [str(image / "bin" / "almanac"), "serve", "--host", LOOPBACK, "--port", str(port)]
        environment = {"ALMANAC_HOME": str(home), "MLFLOW_TRACKING_URI": tracking.address, "PYTHONPATH": ""}
        address = f"http://{LOOPBACK}:{port}"
        with running("The service", command, address=address, log=home / "log", environment=environment) as child:
            child.wait_until_ready("/health/live", START_SECONDS)
            yield child


def site_of(image: Path) -> Path:
    """Return an environment's site-packages."""
    return image / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"


def packages_of(image: Path) -> set[str]:
    """Return the names in an environment's site-packages."""
    return {path.name for path in site_of(image).iterdir()}


def test_the_image_contains_no_training_library(image: Path) -> None:
    """Nor the package `training`."""
    assert not packages_of(image) & {"tensorflow", "keras", "training", "tests", "matplotlib"}
    assert {"service", "models", "onnxruntime"} <= packages_of(image)


def test_the_image_contains_every_starter(image: Path) -> None:
    """For forecasts before any training."""
    packed = {path.parent.name for path in (site_of(image) / "models" / "starters").glob("*/network.onnx")}

    assert {"Y", "M", "D"} <= packed
    assert packed == set(starters.starter_folders())


def test_the_command_line_shows_its_version(image: Path) -> None:
    """From any folder, since the package is installed."""
    command = [str(image / "bin" / "almanac"), "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")  # noqa: S603 ours

    assert "version 0" in result.stdout


def test_the_docs_are_served_from_the_image(service: ChildProcess) -> None:
    """With its files."""
    service.wait_until_ready("/docs", 5)


def test_a_forecast_needs_no_other_package(service: ChildProcess) -> None:
    """The packages in the lock fetch, load and run a model."""
    service.wait_until_ready("/health/ready", START_SECONDS)

    answer = ask(service.address)

    assert answer.status_code == 200
    assert answer.json()["forecasts"][0]["median"][:3] == pytest.approx([0.0, 1.0, 2.0], abs=1e-6)
