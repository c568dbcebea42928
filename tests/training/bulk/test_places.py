from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from training.bulk.places import Place, is_bulk


@pytest.mark.parametrize("address", ["{}/here", "file://{}/there", "memory://{}/nowhere"])
def test_what_is_written_is_read(tmp_path: Path, address: str) -> None:
    """On each kind of file system; what pyarrow does not know is fsspec's."""
    place = Place.of(address.format(tmp_path))
    assert place.read("a/b.txt") is None
    assert place.sizes("a") == {}

    for content in (b"one", b"four"):
        place.write("a/b.txt", content)

    assert place.read("a/b.txt") == b"four"
    assert place.sizes("a") == {"b.txt": 4}


def test_an_unknown_scheme_is_named(tmp_path: Path) -> None:
    """And what there is instead."""
    with pytest.raises(ConfigInvalid, match=r"nope://x.*s3://"):
        Place.of("nope://x").open()
    assert not list(tmp_path.iterdir())


def test_folders_addresses_and_engines_are_forecast_part_by_part(tmp_path: Path) -> None:
    """A file without any of these is read whole."""
    assert is_bulk(str(tmp_path), None, None)
    assert is_bulk("s3://a/b", None, None)
    assert is_bulk("a.csv", None, "local")
    assert not is_bulk("a.csv", "b.csv", None)
