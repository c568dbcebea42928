"""The images: multi-stage builds from locks with hashes, run by a user without privileges."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.composition.images import instructions, last_stage

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "deploy" / "docker").glob("*.Dockerfile"))
LOCKS = [ROOT / "requirements.lock", *sorted((ROOT / "deploy" / "docker").glob("*.lock"))]


def pins(lock: Path) -> dict[str, str]:
    """Return the version of each package of a lock; of a package pinned twice, the last."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_copied_files_exist_and_are_not_ignored(dockerfile: Path) -> None:
    """Every source of a COPY is in the repository and not in .dockerignore."""
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), flags=re.MULTILINE)
    copies = [words.split() for name, words in instructions(dockerfile) if name == "COPY" and "--from" not in words]

    assert copies
    for source in (source for words in copies for source in words[:-1]):
        assert (ROOT / source).exists(), source
        above = [Path(source), *Path(source).parents]
        assert any(path.match(pattern) for path in above for pattern in let_through), source


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_packages_come_from_a_lock_with_hashes(dockerfile: Path) -> None:
    """Everything is installed from locks, except the project itself, which downloads nothing."""
    installs = [words for name, words in instructions(dockerfile) if name == "RUN" and "pip install" in words]
    ours = [words for words in installs if words.endswith("/src")]

    assert len(ours) == 1
    assert "--no-deps --no-build-isolation" in ours[0]
    assert all("--require-hashes" in words for words in installs if words not in ours)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_the_last_stage_runs_without_root(dockerfile: Path) -> None:
    """Two stages or more; the last has a USER, a HEALTHCHECK and an ENTRYPOINT."""
    names = [name for name, _ in instructions(dockerfile)]
    final = dict(last_stage(dockerfile))

    assert names.count("FROM") >= 2
    assert final["USER"] == "almanac"
    assert {"HEALTHCHECK", "ENTRYPOINT", "CMD"} <= set(final)


def test_the_service_image_contains_no_tensorflow() -> None:
    """The service's lock has no package of training or tests."""
    heavy = {"tensorflow", "keras", "matplotlib", "mlflow", "scikit-learn", "pytest"}

    assert not heavy & set(pins(ROOT / "deploy/docker/service.lock"))


@pytest.mark.parametrize("lock", LOCKS[1:], ids=lambda path: path.stem)
def test_images_have_the_tested_versions(lock: Path) -> None:
    """Every package of an image has the version of requirements.lock."""
    tested = pins(LOCKS[0])

    assert {name: tested.get(name) for name in pins(lock)} == pins(lock)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_pins_every_package_with_hashes(lock: Path) -> None:
    """Every package has a hash; no registry is named."""
    blocks = re.split(r"\n(?=[a-z0-9])", lock.read_text(encoding="utf-8"))

    assert all("--hash=sha256:" in block for block in blocks if re.match(r"[a-z0-9]", block))
    assert "://" not in lock.read_text(encoding="utf-8")


def test_the_lock_is_complete() -> None:
    """The lock is complete and consistent, so `make setup` resolves no dependencies."""
    result = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout
