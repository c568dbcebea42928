"""Keys are hidden in texts, whatever stands beside them."""

import hashlib
import os
from pathlib import Path

import pytest

from models.audit import hidden_keys
from models.audit.hidden_keys import HIDDEN, KnownKeys, hide_keys

OWN = "q+B/8dPz" * 5 + "A=="


@pytest.mark.parametrize(
    "text", ["{}", "/series/{}/forecast", "é{}é", '["{}", 1]', "id={}&a=1", "//{}//{}", "a b:\n{}\n"]
)
@pytest.mark.parametrize("key", ["alm_" + "k-_" * 15, OWN, "0f" * 16, "c0ffee00-0000-4000-8000-000000000000"])
def test_a_known_key_is_hidden_and_nothing_else(key: str, text: str) -> None:
    """Also one with the characters of base64, and between all that separates words."""
    known = {hashlib.sha256(key.encode()).hexdigest()}
    beside = "temperatures-of-the-last-century " + "f0" * 16

    assert hide_keys(f"{text.format(key, key)} {beside}", known) == f"{text.format(HIDDEN, HIDDEN)} {beside}"


@pytest.mark.parametrize("text", ["/" * 4_000, "a-" * 2_000, "/".join("abc") * 800])
def test_few_parts_of_a_text_without_words_are_hashed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """One that has many is hidden as a whole, or has none that is long enough."""
    count = [0]

    def count_hash(_part: str) -> str:
        count[0] += 1
        return ""

    monkeypatch.setattr(hidden_keys, "_hash", count_hash)

    assert hide_keys(text, {"0" * 64}) == (text if text.startswith("//") else HIDDEN)
    assert count[0] == 0


def test_a_changed_file_has_other_keys(tmp_path: Path) -> None:
    """None before it exists; those of before if it is gone."""
    path = tmp_path / "keys.json"
    keys = KnownKeys(path)

    found = [keys.digests()]
    for at, digit in enumerate("ab"):
        path.write_text(f'{{"sha256": "{digit * 64}"}}')
        os.utime(path, (at, at))
        found.append(keys.digests())
    path.unlink()

    assert [*found, keys.digests()] == [set(), {"a" * 64}, {"b" * 64}, {"b" * 64}]
