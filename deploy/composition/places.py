"""Places: where a container's name, port and paths are on this machine. All that differs from containers is in this file.

- `NAME:PORT` becomes `127.0.0.1:` and a free port of this machine, and so does a container's own port. An environment variable
  that is exactly a name or a port (PGHOST, PGPORT) becomes the address or the port.
- nginx's and Prometheus' questions to Docker's name server become the list of replicas. Prometheus scrapes each second.
- Paths are the same as in the container (sandbox.py); a named volume is a folder, the same one for all that mount it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from training.processes import LOOPBACK, free_port

ROOT = Path(__file__).resolve().parents[2]
LISTENS = {
    "postgres": 5432, "mlflow": 5000, "service": 8000, "nginx": 8080, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000,
}  # fmt: skip
"""The port on which each service listens in its container."""

FIRST_PORT = 23000


@dataclass(frozen=True, slots=True)
class Places:
    """The folder of all volumes and logs, and a port for each container that listens."""

    folder: Path
    ports: Mapping[str, int]

    def address(self, container: str) -> str:
        """Return the base URL of a container."""
        return f"http://{LOOPBACK}:{self.ports[container]}"

    def replicas(self, service: str) -> list[str]:
        """Return the addresses, without a scheme, of a service's containers."""
        found = [name for name in self.ports if name == service or re.fullmatch(rf"{service}-\d+", name)]
        return [f"{LOOPBACK}:{self.ports[name]}" for name in found]

    def setting(self, value: str, container: str) -> str:
        """Return the value of an environment variable with the addresses of this machine."""
        for service, port in LISTENS.items():
            if value in (service, str(port)):
                host, _, local = self.replicas(service)[0].partition(":")
                return host if value == service else local
        return self.local(value, container)

    def local(self, text: str, container: str) -> str:
        """Return a command or a file of a container with the addresses of this machine."""
        own = self.ports.get(container)
        names = {f"{service}:{port}": self.replicas(service)[0] for service, port in LISTENS.items()}
        port = str(LISTENS[service_of(container)]) if own else "0"

        def place(match: re.Match[str]) -> str:
            return names.get(match[0]) or (str(own) if match[0] == port else match[0])

        return re.sub(r"(?<![\w.-])(?:[a-z]+:\d+|\d{4,5})(?![\w.])", place, text)

    def local_file(self, source: Path, container: str) -> str:
        """Return the text of a mounted file of the repository as it is on this machine."""
        text = source.read_text(encoding="utf-8")
        if source.name == "upstream.conf":
            text = re.sub(r"^resolver .*\n", "", text, flags=re.MULTILINE)
            servers = "\n".join(f"server {address} max_fails=0;" for address in self.replicas("service"))
            return re.sub(r"server service:8000 resolve max_fails=0;", servers, text)
        if source.name == "prometheus.yml":
            return self._prometheus(yaml.safe_load(text))
        return self.local(text, container)

    def _prometheus(self, config: dict[str, Any]) -> str:
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        job = config["scrape_configs"][0]
        (service,) = job.pop("dns_sd_configs")[0]["names"]
        job["static_configs"] = [{"targets": self.replicas(service)}]
        config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": self.replicas("alertmanager")}]}]
        return str(yaml.safe_dump(config))


def choose(folder: Path, containers: Iterable[str]) -> Places:
    """Return places in a folder, with a free port for each container that listens."""
    ports: dict[str, int] = {}
    for name in containers:
        if service_of(name) in LISTENS:
            wanted = FIRST_PORT + 20 * len(ports)
            ports[name] = free_port(wanted, list(ports.values()))
    return Places(folder, ports)


def service_of(container: str) -> str:
    """Return the service of a container's name: `service` for `service-2`."""
    return re.sub(r"-\d+$", "", container)
