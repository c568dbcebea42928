"""docker-compose.yml: valid by the specification, and consistent with the files that it names."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from almanac.command_line import COMMANDS
from deploy.composition.compose import CompositionInvalid, containers, load, required_variables
from deploy.composition.places import LISTENS, Places, choose
from deploy.composition.sandbox import sandbox
from models.jobs.database import jobs_url

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
REQUIRED = required_variables()
ENVIRONMENT = dict.fromkeys(REQUIRED, "secret")
COMPOSE: dict[str, Any] = load(ENVIRONMENT)
SERVICES: dict[str, Any] = COMPOSE["services"]
CONTAINERS = containers(COMPOSE, ENVIRONMENT)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_secret_is_named(name: str) -> None:
    """Also an empty one; nothing starts without it."""
    with pytest.raises(CompositionInvalid, match=f"{name} is not set"):
        load({**ENVIRONMENT, name: ""})


def test_what_the_specification_does_not_know_is_refused(tmp_path: Path) -> None:
    """The error has the place in the file."""
    file = tmp_path / "docker-compose.yml"
    file.write_text(COMPOSE_TEXT.replace("mem_limit: 1g", "memory_limit: 1g", 1), encoding="utf-8")

    with pytest.raises(CompositionInvalid, match=r"services.postgres.*memory_limit"):
        load(ENVIRONMENT, file)


def test_new_passwords_are_random_and_kept(tmp_path: Path) -> None:
    """new_env.sh writes every variable, private to its owner; a second run changes nothing, and fills what is missing."""
    shutil.copytree(ROOT / "deploy" / "docker", tmp_path / "deploy" / "docker")
    shutil.copy(ROOT / ".env.example", tmp_path)
    command = ["sh", str(tmp_path / "deploy" / "docker" / "new_env.sh")]
    file = tmp_path / ".env"
    file.write_text("POSTGRES_PASSWORD=mine\nMLFLOW_PASSWORD=\nOTHER=kept\n", encoding="utf-8")

    texts = [(subprocess.run(command, check=True, capture_output=True), file.read_text())[1] for _ in range(2)]  # noqa: S603

    values = dict(line.split("=", 1) for line in texts[0].splitlines() if re.match("[A-Z]", line))
    assert texts[0] == texts[1]
    assert (values["POSTGRES_PASSWORD"], values["OTHER"]) == ("mine", "kept")
    assert len({values[name] for name in REQUIRED}) == len(REQUIRED)
    assert all(re.fullmatch("[A-Za-z0-9]{40}", values[name]) for name in REQUIRED if name != "POSTGRES_PASSWORD")
    assert os.stat(file).st_mode & 0o077 == 0  # noqa: PTH116


def test_mounted_files_and_dockerfiles_exist() -> None:
    """Every path on the host that the file names is in the repository."""
    paths = [mount.source for one in CONTAINERS.values() for mount in one.mounts if not mount.is_volume]
    dockerfiles = [service["build"]["dockerfile"] for service in SERVICES.values() if "build" in service]

    assert paths
    assert dockerfiles
    for path in (*paths, *dockerfiles):
        assert (ROOT / path).exists(), path


def test_named_volumes_are_declared_and_used() -> None:
    """Every named volume is declared and used."""
    mounted = {mount.source for one in CONTAINERS.values() for mount in one.mounts if mount.is_volume}

    assert mounted == set(COMPOSE["volumes"])


def test_the_example_contains_every_variable() -> None:
    """.env.example has exactly the variables of docker-compose.yml; the secrets are random."""
    used = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_TEXT)) | {
        secret["environment"] for secret in COMPOSE["secrets"].values()
    }
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))

    assert used == set(example)
    assert {name for name, value in example.items() if value == "random"} == set(REQUIRED)


def test_nginx_mlflow_and_grafana_are_published_on_loopback() -> None:
    """And nothing else."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert set(published) == {"nginx", "mlflow", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert all(ports[0].endswith(f":{LISTENS[name]}") for name, ports in published.items())


@pytest.mark.parametrize("name", SERVICES)
def test_containers_have_no_privileges(name: str) -> None:
    """No root, no capabilities, nothing to write to but volumes and memory, and limits.

    Docker Compose refuses secrets from the environment together with a read-only root.
    """
    service = SERVICES[name]

    assert CONTAINERS.get(name, CONTAINERS.get(f"{name}-1")).user[0] != 0  # type: ignore[union-attr]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is ("secrets" not in service)
    assert {"mem_limit", "pids_limit"} <= set(service)


def test_processes_and_threads_do_not_grow_with_the_cores_of_the_machine() -> None:
    """They stay within pids_limit on any: nginx' workers, Go's threads, and those that numpy starts in each process."""
    config = (ROOT / "deploy/docker/nginx.conf").read_text(encoding="utf-8")
    counts = {"nginx": re.findall(r"^worker_processes (\S+);", config, re.MULTILINE)[0]}
    counts |= {name: CONTAINERS[name].environment["GOMAXPROCS"] for name in ("prometheus", "alertmanager", "grafana")}

    assert all(5 * int(count) <= SERVICES[name]["pids_limit"] for name, count in counts.items())
    for name in ("mlflow", "migrate", "service-1"):
        assert CONTAINERS[name].environment["OPENBLAS_NUM_THREADS"] == "1"


def test_mlflow_allows_the_hosts_of_its_clients() -> None:
    """MLflow's server allows the host of every MLFLOW_TRACKING_URI, and its clients know the password."""
    allowed = SERVICES["mlflow"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    clients = [one.environment for one in CONTAINERS.values() if "MLFLOW_TRACKING_URI" in one.environment]

    assert {one["MLFLOW_TRACKING_URI"].removeprefix("http://") for one in clients} == {"mlflow:5000"} <= set(allowed)
    assert all(one["MLFLOW_TRACKING_USERNAME"] and one["MLFLOW_TRACKING_PASSWORD"] for one in clients)


def test_service_and_worker_share_the_jobs() -> None:
    """One jobs database; the worker has a fixed name, and calls nginx, whose name the service answers to."""
    worker, service = CONTAINERS["worker"].environment, CONTAINERS["service-1"].environment

    assert worker["ALMANAC_JOBS_URL"] == service["ALMANAC_JOBS_URL"]
    assert jobs_url(worker).startswith("postgresql://")
    assert worker["ALMANAC_SERVICE_URL"] == f"http://nginx:{LISTENS['nginx']}"
    assert {"service", "nginx"} <= set(service["ALMANAC_ALLOWED_HOSTS"].split(","))
    assert worker["ALMANAC_WORKER_ID"] == "worker"
    assert CONTAINERS["worker"].command[1] in COMMANDS


def test_replicas_share_one_home() -> None:
    """The keys that `migrate` stores are those of both replicas."""
    homes = {CONTAINERS[name].mounts for name in ("service-1", "service-2", "migrate")}

    assert len(homes) == 1
    assert CONTAINERS["service-1"].environment["ALMANAC_HOME"] == next(iter(homes))[0].target


def test_prometheus_scrapes_every_replica() -> None:
    """Names, port, key, rules and Alertmanager in prometheus.yml are those of the composition."""
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    job = config["scrape_configs"][0]

    assert [(one["names"], one["port"]) for one in job["dns_sd_configs"]] == [(["service"], LISTENS["service"])]
    assert Path(job["authorization"]["credentials_file"]).name in CONTAINERS["prometheus"].secrets
    assert all(f"/etc/prometheus/{name}" in str(SERVICES["prometheus"]["volumes"]) for name in config["rule_files"])
    assert config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["alertmanager:9093"]


def test_grafana_finds_its_data_source_and_dashboards() -> None:
    """At the paths that are mounted; Grafana itself cannot be run here."""
    grafana, folder = CONTAINERS["grafana"], ROOT / "deploy" / "grafana"
    mounted = {mount.target: mount.source for mount in grafana.mounts}
    inside = {path: ROOT / source for path, source in mounted.items() if source.startswith(".")}
    provisioning = grafana.environment["GF_PATHS_PROVISIONING"]
    source = yaml.safe_load((folder / "provisioning/datasources/prometheus.yml").read_text(encoding="utf-8"))
    provider = yaml.safe_load((folder / "provisioning/dashboards/almanac.yml").read_text(encoding="utf-8"))

    assert inside[str(Path(provisioning).parent)].resolve() == folder
    assert source["datasources"][0]["url"] == f"http://prometheus:{LISTENS['prometheus']}"
    assert source["datasources"][0]["type"] == "prometheus"
    (mounted_at,) = [path for path, host in inside.items() if host.resolve() == folder]
    shown = folder / Path(provider["providers"][0]["options"]["path"]).relative_to(mounted_at)
    panels = [panel for path in shown.rglob("*.json") for panel in json.loads(path.read_text("utf-8"))["panels"]]
    assert panels
    assert {panel["datasource"]["type"] for panel in panels} == {"prometheus"}  # the image has no other plugin


def test_healthy_dependencies_have_a_health_check() -> None:
    """Every container in a `service_healthy` condition has a health check; all are started in some order."""
    checked = {one.service for one in CONTAINERS.values() if one.health}

    for one in CONTAINERS.values():
        assert {needed for needed, condition in one.needs.items() if condition == "service_healthy"} <= checked
        assert set(one.needs) <= set(SERVICES)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Return places for the containers on this machine."""
    return choose(tmp_path_factory.mktemp("places"), CONTAINERS)


def test_names_and_ports_have_places_on_this_machine(places: Places) -> None:
    """Those of other containers, a container's own, and those in lists of replicas; nothing else is changed."""
    port = places.ports

    assert places.setting("http://mlflow:5000", "worker") == f"http://127.0.0.1:{port['mlflow']}"
    assert places.setting("postgresql://almanac:x@postgres:5432/almanac", "service-2").endswith(
        f":{port['postgres']}/almanac"
    )
    assert (places.setting("postgres", "mlflow"), places.setting("5432", "mlflow")) == (
        "127.0.0.1",
        str(port["postgres"]),
    )
    assert places.local("8000", "service-2") == str(port["service-2"])
    assert places.local("--port=5000", "mlflow") == f"--port={port['mlflow']}"
    assert places.local("postgres -c max_connections=5000", "postgres") == "postgres -c max_connections=5000"
    upstream = places.local_file(ROOT / "deploy/docker/upstream.conf", "nginx")
    assert all(f"server 127.0.0.1:{port[name]} max_fails=0;" in upstream for name in ("service-1", "service-2"))
    assert "service:8000" not in places.local_file(ROOT / "deploy/prometheus/prometheus.yml", "prometheus")


def test_a_health_check_leaves_the_files_of_its_container_alone(places: Places) -> None:
    """It runs in a sandbox of its own while the container starts, and reads the same files."""
    sandbox(CONTAINERS["postgres"], places, ["postgres"])
    files = [path for path in places.folder.rglob("*") if path.is_file()]
    before = [path.stat().st_mtime_ns for path in files]

    sandbox(CONTAINERS["postgres"], places, ["pg_isready"])

    assert files
    assert [path.stat().st_mtime_ns for path in files] == before
