"""docker-compose.yml: valid by the specification, and consistent with the files that it names."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from almanac.command_line import COMMANDS
from models.jobs.database import jobs_url

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("almanac-")]


def compose_schema() -> dict[str, Any]:
    """Return the Compose specification's JSON schema, from check-jsonschema."""
    text = (files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def test_it_follows_the_compose_specification() -> None:
    """The file matches the schema of the specification."""
    jsonschema.Draft202012Validator(compose_schema()).validate(COMPOSE)


def test_mounted_files_and_dockerfiles_exist() -> None:
    """Every path on the host that the file names is in the repository."""
    mounts = [text.split(":")[0] for service in SERVICES.values() for text in service.get("volumes", [])]
    paths = [path for path in mounts if path.startswith(".")]
    dockerfiles = [service["build"]["dockerfile"] for service in SERVICES.values() if "build" in service]

    assert paths
    assert dockerfiles
    for path in (*paths, *dockerfiles):
        assert (ROOT / path).is_file(), path


def test_named_volumes_are_declared_and_used() -> None:
    """Every named volume is declared and used."""
    mounts = [text.split(":")[0] for service in SERVICES.values() for text in service.get("volumes", [])]

    assert {mount for mount in mounts if not mount.startswith(".")} == set(COMPOSE["volumes"])


def test_the_example_contains_every_variable() -> None:
    """.env.example has exactly the variables of docker-compose.yml."""
    used = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_TEXT)) | {
        secret["environment"] for secret in COMPOSE["secrets"].values()
    }
    example = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert used == set(re.findall(r"^([A-Z_]+)=", example, flags=re.MULTILINE))


def test_ports_are_published_on_loopback_only() -> None:
    """Every port is published on loopback."""
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_privileges(name: str) -> None:
    """Our containers have no capabilities and cannot gain any."""
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]


def test_mlflow_allows_the_hosts_of_its_clients() -> None:
    """MLflow's server allows the host of every MLFLOW_TRACKING_URI."""
    allowed = SERVICES["mlflow"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    addresses = {
        service["environment"]["MLFLOW_TRACKING_URI"]
        for service in SERVICES.values()
        if "MLFLOW_TRACKING_URI" in service.get("environment", {})
    }

    assert addresses
    assert {address.removeprefix("http://") for address in addresses} <= set(allowed)


def test_service_and_worker_share_the_jobs() -> None:
    """Service and worker share a jobs database; the worker calls the service's address and has a fixed name."""
    worker, service = (SERVICES[name]["environment"] for name in ("worker", "service"))

    assert worker["ALMANAC_JOBS_URL"] == service["ALMANAC_JOBS_URL"]
    assert jobs_url(worker).startswith("postgresql://")
    assert worker["ALMANAC_SERVICE_URL"] == "http://service:8000"
    assert "ALMANAC_WORKER_ID" in worker
    assert SERVICES["worker"]["command"][0] in COMMANDS


def test_prometheus_scrapes_the_service_where_it_listens() -> None:
    """Target, key and rules in prometheus.yml are those of the composition."""
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    job = config["scrape_configs"][0]

    assert job["static_configs"][0]["targets"] == ["service:8000"]
    assert SERVICES["service"]["ports"][0].endswith(":8000")
    assert Path(job["authorization"]["credentials_file"]).name in SERVICES["prometheus"]["secrets"]
    assert all(f"/etc/prometheus/{name}" in str(SERVICES["prometheus"]["volumes"]) for name in config["rule_files"])


def test_healthy_dependencies_have_a_health_check() -> None:
    """Every container in a `service_healthy` condition has a health check."""
    for service in SERVICES.values():
        for needed, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[needed]
