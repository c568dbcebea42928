"""Images: what an image adds to a container; ours are read from their Dockerfiles."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USERS = {"almanac": "10001:10001"}
"""The user that both Dockerfiles create."""

CREATE_DATABASE = """\
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
  initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 >/dev/null
  rm /tmp/password
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$PGDATA" postgres >/dev/null
  printf "listen_addresses = '*'\\nport = 5432\\n" >>"$PGDATA/postgresql.conf"
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
exec "$@"
"""
"""What the entry point of the image `postgres` does at the first start."""


@dataclass(frozen=True, slots=True)
class Image:
    """What an image adds.

    Attributes:
        name: Without its tag.
        entrypoint: Before the command.
        command: If docker-compose.yml names none.
        environment: Defaults.
        user: User and group ids.
        folder: Working directory.
        files: Files and folders of the repository that it contains, by path in the image.
        volumes: Paths that are volumes also if docker-compose.yml mounts nothing there.
        prelude: A program that runs before the command, and then becomes it.
    """

    name: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    folder: str = "/"
    files: dict[str, Path] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    prelude: tuple[str, ...] = ()


OTHERS = (
    Image(
        "postgres",
        command=("postgres",),
        environment={"PGDATA": "/var/lib/postgresql/data"},
        prelude=("/bin/sh", "-ec", CREATE_DATABASE, "postgres"),
    ),
    Image("nginx", command=("nginx", "-e", "stderr", "-g", "daemon off;")),
    Image("prom/prometheus", entrypoint=("prometheus",)),
    Image("prom/alertmanager", entrypoint=("prometheus-alertmanager",)),
    Image("grafana/grafana", entrypoint=("grafana-server",)),
)
"""Third-party images: Debian has their programs, except Grafana."""

ABSENT = ("grafana/grafana",)
"""Images whose programs Debian does not have: they are not started."""


def image_of(reference: str, dockerfile: str | None = None) -> Image:
    """Return the image of a reference such as `postgres:17`; raises KeyError for an unknown one."""
    name = reference.partition(":")[0]
    if name.startswith("almanac-"):
        return _ours(name, ROOT / (dockerfile or f"deploy/docker/{name.removeprefix('almanac-')}.Dockerfile"))
    return {one.name: one for one in OTHERS}[name]


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile in order, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", dockerfile.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in map(str.strip, lines)]


def last_stage(dockerfile: Path) -> list[tuple[str, str]]:
    """Return the instructions after the last FROM."""
    steps = instructions(dockerfile)
    return steps[max(place for place, (name, _) in enumerate(steps) if name == "FROM") :]


def _ours(name: str, dockerfile: Path) -> Image:
    steps = last_stage(dockerfile)
    final = dict(steps)
    volume = final["VOLUME"]
    return Image(
        name,
        entrypoint=tuple(json.loads(final["ENTRYPOINT"])),
        command=tuple(json.loads(final["CMD"])),
        environment={key: value for key, value in re.findall(r"(\w+)=(\S+)", final["ENV"]) if key != "PATH"},
        user=USERS[final["USER"]],
        folder=final["WORKDIR"],
        files=dict(_copied(words) for step, words in steps if step == "COPY" and "--from" not in words),
        volumes=tuple(json.loads(volume)) if volume.startswith("[") else (volume,),
    )


def _copied(words: str) -> tuple[str, Path]:
    """Return the path in the image, and the source, of a COPY of one file or folder."""
    source, target = words.split()
    return (target + Path(source).name if target.endswith("/") else target), ROOT / source
