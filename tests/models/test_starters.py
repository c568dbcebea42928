"""Starters: which of them answers which frequency, and that a broken installation says so."""

import json
from pathlib import Path

import numpy as np
import pytest

from models import artifact, starters
from models.calendar.zoned_grid import parse_frequency
from models.errors import ArtifactIncomplete
from models.series import Series
from models.starters.stretched import single_step, stretch
from tests.starters import make_starters


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of small starters that stands for the shipped one."""
    monkeypatch.setattr(starters, "FOLDER", make_starters(tmp_path))
    monkeypatch.setattr(starters, "BLENDS", {})
    return tmp_path


@pytest.mark.parametrize("kind", ["Y", "Q", "M", "W", "D", "B", "h"])
def test_a_shipped_starter_forecasts_what_it_did_when_it_was_trained(kind: str) -> None:
    """golden.json is from the graph of that day, and the present one answers within 1e-5 of the context's range."""
    directory = starters.FOLDER / kind
    golden = json.loads((directory / artifact.GOLDEN).read_text())
    context = np.array(golden["context"], dtype=np.float64)
    inputs = {"context": context, "phase": np.array(golden["phase"], dtype=np.int32)}

    (found,) = artifact.open_network(directory / artifact.NETWORK).run(None, inputs)

    expected, span = np.array(golden["quantiles"]), np.nanmax(context, axis=1) - np.nanmin(context, axis=1)
    assert np.max(np.abs(found - expected) / span[:, None, None]) <= 1e-5


@pytest.mark.parametrize(
    ("alias", "kind"),
    [
        ("M", "M"),
        ("Q-NOV", "Q"),
        ("W-WED", "W"),
        ("7D", "W"),
        ("D", "D"),
        ("h", "h"),
        ("Y-MAR", "Y"),
        ("5M", "Y"),
        ("5min", "Y"),
        ("2h", "M"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_starter_with_the_same_seasons_answers(alias: str, kind: str) -> None:
    """Whatever the anchor; else one with the same first season (2h: 12), else the one that knows none."""
    assert starters.folder_for(parse_frequency(alias)).name == kind


@pytest.mark.usefixtures("folder")
def test_a_starter_takes_any_anchor_and_keeps_the_rest_of_its_spec() -> None:
    """Only the frequency of the spec is another; the session is loaded once."""
    wednesday, sunday = (starters.load_starter(parse_frequency(alias)) for alias in ("W-WED", "W-SUN"))
    series = Series.make([float(week) for week in range(120)], start="2020-01-01", frequency="W-WED")

    forecast = wednesday.forecast([series], 3)[0]

    assert forecast.median.tolist() == [68.0, 69.0, 70.0]
    assert (wednesday.spec.frequency, sunday.spec.frequency) == ("W-WED", "W-SUN")
    assert wednesday.spec.season_length == sunday.spec.season_length == 52
    assert wednesday._session is sunday._session
    assert starters.load_starter(parse_frequency("W-WED")) is wednesday


def test_the_version_is_of_what_the_files_hold(folder: Path) -> None:
    """Another network is another version; the card does not count."""
    before = starters.version()
    (folder / "M" / "README.md").write_text("a card")
    starters._version.cache_clear()
    with_card = starters.version()
    (folder / "M" / "network.onnx").write_bytes(b"another")
    starters._version.cache_clear()

    assert len(before) == starters.VERSION_LENGTH
    assert with_card == before
    assert starters.version() != before


def test_no_starter_at_all_is_a_broken_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says where they should lie, and what to do."""
    monkeypatch.setattr(starters, "FOLDER", tmp_path)

    for ask in (starters.starter_folders, starters.version, lambda: starters.load_starter(parse_frequency("M"))):
        with pytest.raises(ArtifactIncomplete, match="Install almanac-forecast again") as refusal:
            ask()
        assert str(tmp_path) in refusal.value.detail


def test_a_frequency_that_nothing_here_knows_is_a_broken_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the starter that knows no season the error names those that are here."""
    monkeypatch.setattr(starters, "FOLDER", make_starters(tmp_path, only=("M",)))

    with pytest.raises(ArtifactIncomplete, match=r"no starter Y in .*, only M"):
        starters.folder_for(parse_frequency("D"))


def test_a_folder_without_its_network_is_refused(folder: Path) -> None:
    """Nothing answers in its place."""
    (folder / "M" / "network.onnx").unlink()

    with pytest.raises(ArtifactIncomplete, match=r"network\.onnx cannot be opened"):
        starters.load_starter(parse_frequency("M"))


def test_a_starter_that_was_made_here_goes_before_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in ALMANAC_HOME/starters answers for its frequency and multiples, the package's own for all others."""
    shipped = make_starters(tmp_path / "shipped")
    monkeypatch.setattr(starters, "FOLDER", shipped)
    two_months = starters.load_starter(parse_frequency("2M"))
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "home"))
    make_starters(tmp_path / "home" / "starters", only=("M",))

    assert starters.folder_for(parse_frequency("M")) == tmp_path / "home" / "starters" / "M"
    assert starters.folder_for(parse_frequency("D")) == shipped / "D"
    assert starters.load_starter(parse_frequency("2M")) is not two_months


def test_the_starters_of_a_folder_are_used_for_a_while(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """They answer for their frequencies, the package's own for all others; afterwards all is as before."""
    other = make_starters(tmp_path_factory.mktemp("other"), only=("M",))
    before = starters.version()

    with starters.used(other):
        assert starters.folder_for(parse_frequency("M")) == other / "M"
        assert starters.folder_for(parse_frequency("D")) == folder / "D"

    assert starters.version() == before
    with pytest.raises(ArtifactIncomplete, match="no folder in it has a"), starters.used(other / "M"):
        pass


@pytest.mark.parametrize(
    ("alias", "warned"),
    [
        ("5min", False),
        ("7min", True),
        ("s", True),
        ("B", True),
        ("Y", False),
        ("5M", True),
        ("5h", True),
        ("2D", True),
        ("4h", False),
        ("h", False),
        ("D", False),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_season_that_no_starter_knows_is_told(alias: str, *, warned: bool) -> None:
    """Years have none; 5h have one of 4.8 steps, and so have seven minutes; the hourly starter knows that of five minutes."""
    found = starters.season_warning(parse_frequency(alias))

    assert (found is not None and found.code == "SEASON_UNKNOWN") is warned


def test_a_starter_of_ones_own_that_is_damaged_is_told_of(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The package's own answers in its place, and not in silence."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ALMANAC_HOME", str(home))
    (home / starters.LOCAL_FOLDER / "M").mkdir(parents=True)

    assert starters.folder_for(parse_frequency("M")) == folder / "M"
    assert f"{home / starters.LOCAL_FOLDER / 'M'} is ignored: it has no spec.json" in caplog.text


def test_a_multiple_is_stretched_to_the_steps_of_its_unit() -> None:
    """Straight lines end in each value; nothing is known beside a gap or before the first value."""
    context = np.array([[np.nan, 2.0, 4.0, np.nan, 8.0]])

    np.testing.assert_array_equal(
        stretch(context, 2, 10)[0], [np.nan, np.nan, np.nan, 2, 3, 4, np.nan, np.nan, np.nan, 8]
    )
    np.testing.assert_array_equal(stretch(context, 2, 3)[0], [np.nan, np.nan, 8])
    np.testing.assert_array_equal(stretch(context[:, 4:], 3, 4)[0], [np.nan, np.nan, np.nan, 8])


@pytest.mark.parametrize(
    ("alias", "single"), [("4h", "h"), ("2MS", "M"), ("2W", "W-SUN"), ("5h", None), ("h", None), ("2D", None)]
)
def test_a_multiple_that_divides_the_season_of_its_unit_is_stretched(alias: str, single: str | None) -> None:
    """The season is whole steps then."""
    found = single_step(parse_frequency(alias))

    assert (found and found.name) == single
