"""The documents: links, file names, settings, limits, commands and make targets in them exist."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from almanac.command_line import COMMANDS
from models.calendar.zoned_grid import parse_frequency
from models.series import Series
from models.starters import load_starter
from service.settings import MEBIBYTE, PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
EVERYTHING = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_link_has_a_target(document: Path) -> None:
    """Links lead to files of the repository, and anchors to headings."""
    links = re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", document.read_text(encoding="utf-8"))

    for file, anchor in links:
        target = document.parent / file if file else document
        assert target.is_file(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_file_name_exists() -> None:
    """File names in code style are files of the repository; NAME is a placeholder."""
    folders = "deploy|docs|models|service|tests|training"
    named = set(re.findall(rf"`((?:{folders})/[\w./-]+\.\w+)`", EVERYTHING))

    assert {name for name in named if "NAME" not in name and not (ROOT / name).is_file()} == set()


def test_every_setting_of_the_service_is_documented() -> None:
    """README or docs contain each environment variable."""
    variables = ["MLFLOW_TRACKING_URI", *(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)]
    variables.remove("ALMANAC_TRACKING_URI")

    assert [name for name in variables if f"`{name}`" not in EVERYTHING] == []


def test_documented_limits_are_the_defaults() -> None:
    """The table of limits has the defaults of the settings."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    rows = re.findall(r"^\| `ALMANAC_([A-Z_]+)` \| ([\d,]+)( MiB)? \|", text, flags=re.MULTILINE)

    assert len(rows) >= 8
    for name, number, unit in rows:
        assert defaults[name.lower()] == int(number.replace(",", "")) * (MEBIBYTE if unit else 1), name


def test_the_readme_lists_every_command() -> None:
    """README lists what `almanac --help` lists."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^almanac ([a-z-]+)", text, flags=re.MULTILINE)

    assert set(listed) == set(COMMANDS)


def test_every_make_target_exists() -> None:
    """Every `make` target in the documents is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", EVERYTHING, flags=re.MULTILINE))

    assert {"demo", "test"} <= named <= targets


def test_the_request_of_the_readme_has_the_answer_beside_it() -> None:
    """The medians are those of the starter that is shipped."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    request = json.loads(re.findall(r"localhost:8000/forecast --json '(.*)'", text)[0])
    (answered,) = re.findall(r'^# .*"median": (\[[^\]]*\])', text, flags=re.MULTILINE)

    (sent,) = request["series"]
    (found,) = load_starter(parse_frequency(sent["frequency"])).forecast([Series.make(**sent)], request["horizon"])

    assert json.loads(answered) == np.round(found.median, 1).tolist()
