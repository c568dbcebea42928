"""Install: the command that adds the packages of training to this installation."""

import json
import re
import shlex
from importlib.metadata import PackageNotFoundError, distribution

PACKAGE, EXTRA = "almanac-forecast", "train"


def install_command() -> str:
    """Return the command that installs Almanac again with the packages of training, from where it was installed."""
    try:
        recorded = distribution(PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        recorded = None
    return command_for(recorded)


def command_for(recorded: str | None) -> str:
    """Return the command for an installation's source, as pip records it in direct_url.json (PEP 610), or without one."""
    source = json.loads(recorded) if recorded else {}
    url, control = str(source.get("url", "")), source.get("vcs_info", {}).get("vcs")
    if "dir_info" in source:
        editable = "-e " if source["dir_info"].get("editable") else ""
        return f"pip install {editable}{shlex.quote(f'{_path(url)}[{EXTRA}]')}"
    if url:
        return f"pip install '{PACKAGE}[{EXTRA}] @ {f'{control}+' if control else ''}{url}'"
    return f"pip install '.[{EXTRA}]' in the folder of Almanac's source code"


def _path(url: str) -> str:
    """Return the path of a file's URL; bytes that are written as %20 are decoded."""
    quoted = url.removeprefix("file://").encode()
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), quoted).decode()
