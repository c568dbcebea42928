"""The command line: help, errors and exit codes."""

import gc
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from almanac import command_line
from models.errors import DataInvalid

SLOW = ("tensorflow", "keras", "mlflow", "pandas")


def test_help_imports_no_command() -> None:
    """Nor TensorFlow, MLflow or pandas."""
    code = (
        "import sys, almanac\n"
        "try: almanac.main(['--help'])\n"
        "except SystemExit as done: assert done.code == 0\n"
        f"sys.exit(any(name in sys.modules for name in {(*SLOW, 'fastapi')}))"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603

    assert found.returncode == 0
    assert all(name in found.stdout for name in command_line.COMMANDS)


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_every_commands_help_shows_an_example(name: str) -> None:
    """To copy."""
    found = CliRunner().invoke(command_line.almanac, [name, "--help"])

    text = found.output
    if isinstance(command_line.almanac.get_command(click.Context(command_line.almanac), name), click.Group):
        text += CliRunner().invoke(command_line.almanac, [name, "add", "--help"]).output
    assert found.exit_code == 0
    assert f"almanac {name}" in text.split("Example", 1)[-1]


@pytest.mark.parametrize("name", ["key", "training.no_such:command"])
def test_garbage_is_collected_again_after_an_import(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after one that fails: a server without a garbage collector grows."""
    monkeypatch.setitem(command_line.COMMANDS, "training.no_such:command", ("training.no_such:command", ""))

    with suppress(ModuleNotFoundError):
        command_line.almanac.get_command(click.Context(command_line.almanac), name)

    assert gc.isenabled()


def test_the_version_is_shown() -> None:
    """With the name of the program."""
    found = subprocess.run([sys.executable, "-m", "almanac", "--version"], capture_output=True, text=True, check=True)

    assert found.stdout.startswith("almanac, version ")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train"], 2, "No data given"),
        (["train", "--data", "missing.csv", "--horizon", "3"], 1, "missing.csv"),
        (["train", "missing.toml"], 1, "missing.toml"),
        (["backtest", "--data", "missing.csv", "--horizon", "3", "--set", "fit.unit=3"], 1, "Did you mean fit.units?"),
        (["backtest", "--data", "missing.csv"], 2, "--horizon"),
        (["forecast", "--model", "m", "--data", "d.csv", "--levels", "high"], 2, "--levels"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 for a failure, 2 for wrong usage."""
    with pytest.raises(SystemExit) as done:
        command_line.main(arguments)

    assert done.value.code == code
    assert words in capsys.readouterr().err


def test_an_unexpected_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With ALMANAC_DEBUG a traceback is shown."""

    def broken(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(command_line.almanac, "main", broken)

    with pytest.raises(SystemExit) as done:
        command_line.main([])

    assert done.value.code == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    monkeypatch.setenv("ALMANAC_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        command_line.main([])


@pytest.mark.parametrize(("error", "code"), [(DataInvalid("Row 3 is wrong."), 1), (KeyboardInterrupt(), 130)])
def test_errors_become_exit_codes(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    """A failure and an interruption have different ones."""

    def failing(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(command_line.almanac, "main", failing)

    with pytest.raises(SystemExit) as done:
        command_line.main([])

    assert done.value.code == code


@pytest.mark.parametrize(
    "arguments",
    [("models",), ("forecast", "--model", "a", "--data", __file__), ("promote", "a", "1"), ("rollback", "a"), ("ui",)],
)
def test_reading_commands_create_no_home(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Without a registry they fail, except the list of models."""
    found = CliRunner(env={"ALMANAC_HOME": str(tmp_path / "home")}).invoke(command_line.almanac, list(arguments))

    assert found.exit_code == (0 if arguments == ("models",) else 1)
    text = found.output + str(found.exception or "")
    assert f"{tmp_path}/home/mlflow.db" in text
    assert list(tmp_path.iterdir()) == []


def test_a_missing_data_file_is_reported_before_slow_imports() -> None:
    """By every command that reads one."""
    code = (
        "import sys, almanac\n"
        "for command in (['train', '--horizon', '3'], ['backtest', '--horizon', '3'], ['forecast', '--model', 'a']):\n"
        "    try: almanac.main([*command, '--data', 'missing.csv'])\n"
        "    except SystemExit as done: assert done.code == 1\n"
        f"sys.exit(any(name in sys.modules for name in {SLOW}))"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603

    assert found.returncode == 0, found.stderr
    assert found.stderr.count("missing.csv") == 3
