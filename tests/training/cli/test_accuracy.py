"""`almanac accuracy`: tables, JSON and a picture of what a service has scored."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import almanac
from models.errors import ModelUnknown
from tests.training.fake_service import FakeService, serving


def run(url: str, *arguments: object) -> Result:
    """Run the command line against a service."""
    words = ["accuracy", "temperatures", "--url", url, *(str(one) for one in arguments)]
    return CliRunner(env={"ALMANAC_API_KEY": ""}).invoke(almanac.almanac, words)


def test_the_tables_show_live_beside_backtest_and_naive() -> None:
    """Steps in order, a share in per cent, a dash where nothing is known."""
    with serving(FakeService()) as url:
        found = run(url)

    assert found.exit_code == 0, found.output
    lines = [" ".join(line.replace("│", " ").split()) for line in found.stdout.splitlines()]
    assert "1 120 0.612 0.987 0.380 79.0 % - 0.600 0.990" in lines
    assert "3 120 0.612 0.987 0.380 79.0 % - - -" in lines
    assert "2024-10 120 0.612 0.987 0.380 79.0 % -" in lines
    assert "10 240 0.610 0.600 1.017 -" in lines
    assert "10 level 0.310 - 0.002 512" in lines


def test_json_is_all_that_was_read() -> None:
    """For programs."""
    with serving(FakeService()) as url:
        found = run(url, "--json")

    told = json.loads(found.stdout)
    assert (told["name"], told["version"], told["due"]) == ("temperatures", "10", 4)
    assert [row["step"] for row in told["steps"]] == [1, 2, 3]
    assert len(told["forecasts"]) == 3


def test_nothing_scored_says_what_to_do() -> None:
    """No empty table, and no picture."""
    service = FakeService()
    service.versions = []
    with serving(service) as url:
        found = run(url)

    assert found.exit_code == 0
    assert "No forecast of temperatures has met its truth yet; 4 forecasts wait" in " ".join(found.stdout.split())


def test_an_unknown_model_is_an_error() -> None:
    """A misspelt name is not a model without scores."""
    service = FakeService()
    service.versions, service.models = [], set()
    with serving(service) as url:
        found = run(url)

    assert isinstance(found.exception, ModelUnknown)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_picture_is_written(tmp_path: Path, suffix: str) -> None:
    """In the format that its name says, its folder made."""
    path = tmp_path / "deep" / f"accuracy.{suffix}"
    with serving(FakeService()) as url:
        found = run(url, "--plot", path)

    assert found.exit_code == 0, found.output
    assert path.read_bytes().startswith(b"\x89PNG" if suffix == "png" else b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--plot", "a.txt"), "is no picture"), (("--url", "localhost"), "is no address"), (("--period", "hour"), "hour")],
)
def test_a_slip_is_told_before_anything_is_asked(arguments: tuple[str, ...], words: str) -> None:
    """The service sees no request."""
    service = FakeService()
    with serving(service) as url:
        found = run(url, *arguments)

    assert found.exit_code == 2
    assert words in found.output
    assert service.requests == []


def test_tables_need_no_train_extra() -> None:
    """Neither matplotlib nor anything of training's is imported for them."""
    code = (
        "import sys, almanac\n"
        "try: almanac.main(['accuracy', 'temperatures', '--url', sys.argv[1]])\n"
        "except SystemExit as done: assert done.code == 0\n"
        "sys.exit(any(name in sys.modules for name in ('matplotlib', 'tensorflow', 'mlflow', 'statsforecast', 'pandas')))"
    )
    with serving(FakeService()) as url:
        found = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=False)  # noqa: S603

    assert found.returncode == 0, found.stderr
    assert "by step, beside its backtest" in found.stdout
