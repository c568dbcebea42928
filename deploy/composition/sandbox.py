"""A container as a process: bubblewrap gives it its own root file system, user, process ids, and no capabilities."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.composition.compose import Container, Mount
from deploy.composition.places import Places

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = ("/bin", "/sbin", "/lib", "/lib64", "/usr")
ETC = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl", "/etc/localtime", "/etc/nsswitch.conf", "/etc/hosts")
HOME = "/var/lib/almanac"


def sandbox(container: Container, places: Places, command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` in a container.

    The root is read-only if the container's is. It has this machine's /usr and Python, the container's volumes, files and
    secrets at their paths, and a new /proc; the network is this machine's.
    """
    user, group = container.user
    options = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--as-pid-1", "--new-session"]
    options += ["--uid", str(user), "--gid", str(group), "--cap-drop", "ALL"]
    for path in container.tmpfs:
        options += ["--perms", "1777", "--tmpfs", path]
    options += [*_machine(container, places), *_mounted(container, places)]
    if container.read_only:
        options += ["--remount-ro", "/"]
    options += ["--chdir", container.image.folder]
    local = [places.local(word, container.name) for word in command]
    return ["bwrap", *options, "--", *local]


def environment(container: Container, places: Places) -> dict[str, str]:
    """Return a container's environment variables, with the addresses of this machine."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))
    path = f"{Path(sys.prefix).resolve()}/bin:{programs}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    given = {key: places.setting(value, container.name) for key, value in container.environment.items()}
    return {"PATH": path, "HOME": HOME, "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), **given}


def _machine(container: Container, places: Places) -> list[str]:
    """Return the options for what an image would contain: programs, libraries, Python, its user."""
    options: list[str] = ["--dev", "/dev", "--proc", "/proc"]
    for path in map(Path, SYSTEM):
        link = path.is_symlink()
        options += ["--symlink", str(path.readlink()), str(path)] if link else ["--ro-bind-try", str(path), str(path)]
    python = dict.fromkeys((sys.base_prefix, str(ROOT), str(Path(sys.prefix).resolve())))
    for text in (*ETC, *(one for one in python if not one.startswith("/usr/"))):
        options += ["--ro-bind-try", text, text]
    user, group = container.user
    users = f"container:x:{user}:{group}::{HOME}:/bin/sh\n"
    passwd = _write(places.folder / "etc" / f"{container.name}.passwd", users)
    options += ["--ro-bind", str(passwd), "/etc/passwd"]
    for target, source in container.image.files.items():
        options += ["--ro-bind", str(source), target]
    return [*options, "--dir", container.image.folder]


def _mounted(container: Container, places: Places) -> list[str]:
    options: list[str] = []
    targets = [mount.target for mount in container.mounts]
    for path in container.image.volumes:
        if path not in targets:
            options += ["--bind", str(_volume(places, f"{container.name}{path.replace('/', '-')}")), path]
    for mount in container.mounts:
        kind = "--ro-bind" if mount.read_only else "--bind"
        options += [kind, str(_source(mount, container, places)), mount.target]
    for name, content in container.secrets.items():
        file = _write(places.folder / "secrets" / f"{container.name}-{name}", content)
        options += ["--ro-bind", str(file), f"/run/secrets/{name}"]
    return options


def _source(mount: Mount, container: Container, places: Places) -> Path:
    """Return the folder of a volume, or a file of the repository as it is on this machine."""
    if mount.is_volume:
        return _volume(places, mount.source)
    source = ROOT / mount.source
    if source.is_dir():
        return source
    text = places.local_file(source, container.name)
    return _write(places.folder / "files" / container.name / mount.target.strip("/"), text)


def _volume(places: Places, name: str) -> Path:
    folder = places.folder / "volumes" / name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    os.chmod(path, 0o600)  # noqa: PTH101
    return path
