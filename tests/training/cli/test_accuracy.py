import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from almanac.command_line import almanac
from models.errors import ModelUnknown
from tests.training.fake_service import FakeService, serving


def run(url: str, *arguments: object) -> Result:
    """Run the command line against a service."""
    words = ["accuracy", "temperatures", "--url", url, *(str(one) for one in arguments)]
    return CliRunner(env={"ALMANAC_API_KEY": ""}).invoke(almanac, words)


def test_the_tables_show_live_error_backtest_and_naive() -> None:
    """Steps are sorted, shares are per cent, unknown values are dashes."""
    with serving(FakeService()) as url:
        found = run(url)

    assert found.exit_code == 0, found.output
    lines = [" ".join(line.replace("│", " ").split()) for line in found.stdout.splitlines()]
    assert "1 120 0.612 0.987 0.380 79.0 % - 0.600 0.990" in lines
    assert "3 120 0.612 0.987 0.380 79.0 % - - -" in lines
    assert "2024-10 120 0.612 0.987 0.380 79.0 % -" in lines
    assert "10 240 0.610 0.600 1.017 -" in lines
    assert "10 level 0.310 - 0.002 512" in lines


def test_json_has_everything() -> None:
    """Versions, steps, periods, forecasts and drift."""
    with serving(FakeService()) as url:
        found = run(url, "--json")

    data = json.loads(found.stdout)
    assert (data["name"], data["version"], data["due"]) == ("temperatures", "10", 4)
    assert [row["step"] for row in data["steps"]] == [1, 2, 3]
    assert len(data["forecasts"]) == 3


def test_a_model_without_scores_has_no_tables() -> None:
    """The number of waiting forecasts is shown."""
    service = FakeService()
    service.versions = []
    with serving(service) as url:
        found = run(url)

    assert found.exit_code == 0
    assert "4 forecasts wait" in " ".join(found.stdout.split())


def test_an_unknown_model_is_an_error() -> None:
    """A misspelt name is not a model without scores."""
    service = FakeService()
    service.versions, service.models = [], set()
    with serving(service) as url:
        found = run(url)

    assert isinstance(found.exception, ModelUnknown)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_figure_is_written(tmp_path: Path, suffix: str) -> None:
    """The suffix is the format, and the folder is created."""
    path = tmp_path / "deep" / f"accuracy.{suffix}"
    with serving(FakeService()) as url:
        found = run(url, "--plot", path)

    assert found.exit_code == 0, found.output
    assert path.read_bytes().startswith(b"\x89PNG" if suffix == "png" else b"<?xml")


@pytest.mark.parametrize("arguments", [("--plot", "a.txt"), ("--url", "localhost"), ("--period", "hour")])
def test_an_invalid_option_is_refused_before_any_request(arguments: tuple[str, ...]) -> None:
    """The exit code is that of wrong usage."""
    service = FakeService()
    with serving(service) as url:
        found = run(url, *arguments)

    assert found.exit_code == 2
    assert service.requests == []


def test_tables_need_no_train_extra() -> None:
    """The command imports neither matplotlib nor the libraries of training."""
    code = (
        "import sys, almanac\n"
        "try: almanac.main(['accuracy', 'temperatures', '--url', sys.argv[1]])\n"
        "except SystemExit as done: assert done.code == 0\n"
        "sys.exit(any(name in sys.modules for name in ('matplotlib', 'tensorflow', 'mlflow', 'statsforecast', 'pandas')))"
    )
    with serving(FakeService()) as url:
        found = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=False)  # noqa: S603

    assert found.returncode == 0, found.stderr
    assert "0.612" in found.stdout
