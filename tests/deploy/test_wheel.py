"""The wheel: what `pip install` installs, starters included."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.artifacts import make_artifact

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("pyproject.toml", "README.md", "LICENSE", "almanac", "models", "service", "training")


def test_the_wheel_contains_every_file_of_every_starter(tmp_path: Path) -> None:
    """Starters are in the wheel although their folders are not packages, one with an odd name included."""
    source = tmp_path / "source"
    source.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, source / part)
    make_artifact(source / "models" / "starters" / "5min")
    (source / "models" / "starters" / "5min" / "README.md").write_text("A card.")
    build = f"import setuptools.build_meta as build; build.build_wheel({str(tmp_path)!r})"

    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)  # noqa: S603 (our own)

    expected = {path.relative_to(source).as_posix() for path in (source / "models" / "starters").rglob("*.*")}
    held = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    assert {f"models/starters/5min/{name}" for name in ("network.onnx", "spec.json", "golden.json")} <= expected
    assert expected - held == set()
