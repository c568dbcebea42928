"""The audit log is appended to, and shows if a line was changed."""

import errno
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.audit import log
from models.audit.hidden_keys import HIDDEN


def test_lines_are_appended_by_several_at_once(tmp_path: Path) -> None:
    """Each follows the one before it; only the owner may read the file."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda at: log.record(tmp_path, "user:me", "alias.set", version=at), range(40)))

    lines = list(log.read(tmp_path))

    assert [line.number for line in lines] == list(range(1, 41))
    assert sorted(line.data["version"] for line in lines) == list(range(40))
    assert all(line.is_intact for line in lines)
    assert (tmp_path / log.FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("old", "new", "broken"), [("second", "other", [3]), ("second", "\n", [2, 3, 4]), ("third", "", [])]
)
def test_a_changed_line_breaks_the_one_after_it(tmp_path: Path, old: str, new: str, broken: list[int]) -> None:
    """Also one that is no JSON any more; the last line has none after it."""
    for action in ("first", "second", "third"):
        log.record_own(tmp_path, action)
    path = tmp_path / log.FILE
    path.write_text(path.read_text().replace(old, new))

    assert [line.number for line in log.read(tmp_path) if not line.is_intact] == broken


def test_a_home_that_has_vanished_is_not_created_anew(tmp_path: Path) -> None:
    """By a service; a person's command makes the first one."""
    home = tmp_path / "home"

    with pytest.raises(FileNotFoundError):
        log.record(home, "key:me", "alias.set")
    assert not home.exists()
    log.record_own(home, "key.add")

    assert [line.data["action"] for line in log.read(home)] == ["key.add"]


def test_a_home_without_changes_has_no_lines(tmp_path: Path) -> None:
    """Reading makes no file."""
    assert list(log.read(tmp_path)) == []
    assert not (tmp_path / log.FILE).exists()


def test_no_key_is_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one of ours, known or not, nor another one in the file of keys; whatever it was given as."""
    ours, other = "alm_" + "k" * 43, "5f0c" * 16
    keys = tmp_path / "own.json"
    keys.write_text(f'{{"keys": [{{"sha256": "{hashlib.sha256(other.encode()).hexdigest()}"}}]}}')
    monkeypatch.setenv("ALMANAC_API_KEYS", str(keys))

    log.record(tmp_path, f"key:{other}", "schedule.create", schedule=ours, reason=f"as {other}, not {ours}.", version=1)

    (line,) = log.read(tmp_path)
    assert line.data["actor"] == f"key:{HIDDEN}"
    assert (line.data["schedule"], line.data["reason"]) == (HIDDEN, f"as {HIDDEN}, not {HIDDEN}.")


@pytest.mark.parametrize("left", [0, 1, 2])
def test_an_end_that_was_cut_off_is_seen_for_good(tmp_path: Path, left: int) -> None:
    """At once, and by the line that comes next, which does not follow."""
    for action in ("first", "second", "third"):
        end = log.record(tmp_path, "user:me", action)
    path = tmp_path / log.FILE
    whole = log.is_whole(tmp_path), log.read_end(tmp_path)

    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:left]))

    assert whole == (True, end)
    assert end.lines == 3
    assert not log.is_whole(tmp_path)
    assert log.record(tmp_path, "user:me", "fourth").lines == 4
    assert [line.is_intact for line in log.read(tmp_path)] == [True] * left + [False]
    assert log.is_whole(tmp_path)


def test_a_last_line_that_was_changed_is_no_end(tmp_path: Path) -> None:
    """Nor is a log that is gone."""
    log.record_own(tmp_path, "first")
    path = tmp_path / log.FILE
    path.write_text(path.read_text().replace("first", "other"))

    assert not log.is_whole(tmp_path)
    path.unlink()
    assert not log.is_whole(tmp_path)


@pytest.mark.parametrize("later", [("second",), ("second", "third")])
def test_lines_after_the_end_cut_off_nothing(tmp_path: Path, later: tuple[str, ...]) -> None:
    """A process that is killed, an older version, and a full disk leave the end as it was; without one nothing is known of it."""
    log.record_own(tmp_path, "first")
    before = (tmp_path / log.END_FILE).read_text()
    for action in later:
        log.record_own(tmp_path, action)
    (tmp_path / log.END_FILE).write_text(before)

    assert log.is_whole(tmp_path)
    assert log.record(tmp_path, "user:me", "next").lines == len(later) + 2
    (tmp_path / log.END_FILE).unlink()
    assert log.is_whole(tmp_path)
    assert log.record(tmp_path, "user:me", "last").lines == len(later) + 3
    assert all(line.is_intact for line in log.read(tmp_path))


def test_the_end_is_written_in_place(tmp_path: Path) -> None:
    """A command that root runs would else leave a file that the service cannot read, and so no line of it any more."""
    log.record_own(tmp_path, "first")
    before = (tmp_path / log.END_FILE).stat()

    end = log.record(tmp_path, "user:root", "second")

    assert (tmp_path / log.END_FILE).stat().st_ino == before.st_ino
    assert before.st_mode & 0o777 == 0o600
    assert log.read_end(tmp_path) == end


def test_a_full_disk_leaves_no_part_of_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that comes next would continue it, and be lost."""
    log.record_own(tmp_path, "first")
    write = os.write

    def fill(descriptor: int, data: bytes) -> int:
        if len(data) < 40:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) - 20])

    with monkeypatch.context() as full:
        full.setattr(os, "write", fill)
        with pytest.raises(OSError, match="No space"):
            log.record_own(tmp_path, "second")
    log.record_own(tmp_path, "third")

    assert [line.data["action"] for line in log.read(tmp_path)] == ["first", "third"]
    assert all(line.is_intact for line in log.read(tmp_path))
    assert log.is_whole(tmp_path)
