import pytest

from service.install import command_for


@pytest.mark.parametrize(
    ("recorded", "command"),
    [
        ('{"dir_info": {}, "url": "file:///src/almanac"}', "pip install '/src/almanac[train]'"),
        ('{"dir_info": {"editable": true}, "url": "file:///my%20src"}', "pip install -e '/my src[train]'"),
        (
            '{"url": "https://host/almanac", "vcs_info": {"vcs": "git", "commit_id": "f00"}}',
            "pip install 'almanac-forecast[train] @ git+https://host/almanac'",
        ),
        (None, "pip install '.[train]' in the folder of Almanac's source code"),
    ],
)
def test_the_train_extra_is_installed_from_where_almanac_was(recorded: str | None, command: str) -> None:
    """It is named by its source, since an index may not have it."""
    assert command_for(recorded) == command
