"""deploy/kubernetes: valid by the schemas of Kubernetes, and the same values as docker-compose.yml."""

import functools
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from deploy.composition.compose import containers, load, required_variables
from deploy.composition.images import image_of
from deploy.composition.places import LISTENS
from service.api.key_file import SCOPES
from service.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.30", "1.37"
"""From 1.30 on, `preStop` may `sleep` without a setting of the cluster."""

NEEDS_KUBECTL = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="Debian has no kubectl that renders the overlays"
)
ENVIRONMENT = dict.fromkeys(required_variables(), "secret")
CONTAINERS = containers(load(ENVIRONMENT), ENVIRONMENT)
Manifest = dict[str, Any]


def manifests(folder: Path) -> list[Manifest]:
    """Return the written manifests of a folder."""
    files = sorted(path for path in folder.rglob("*.yaml") if path.name != "kustomization.yaml")
    return [one for path in files for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


BASE = {(one["kind"], one["metadata"]["name"]): one for one in manifests(FOLDER / "base")}
CONFIG = dict(
    text.split("=", 1)
    for text in yaml.safe_load((FOLDER / "base/kustomization.yaml").read_text(encoding="utf-8"))["configMapGenerator"][
        0
    ]["literals"]
)


def pods(found: list[Manifest]) -> list[Manifest]:
    """Return the specifications of all pods."""
    specs = [one["spec"] for one in found if one["kind"] in ("Deployment", "StatefulSet", "Job", "CronJob")]
    return [one.get("jobTemplate", {"spec": one})["spec"]["template"]["spec"] for one in specs]


def main_container(kind: str, name: str) -> Manifest:
    """Return the first container of a workload in the base."""
    return dict(pods([BASE[kind, name]])[0]["containers"][0])


def variables(container: Manifest) -> dict[str, str]:
    """Return a container's environment variables; a value from a Secret is its key."""
    given = dict(CONFIG) if "envFrom" in container else {}
    for one in container.get("env", []):
        source = one.get("valueFrom", {})
        given[one["name"]] = one.get("value") or source.get("secretKeyRef", {}).get("key") or "field"
    return given


@functools.cache
def rendered(overlay: str) -> list[Manifest]:
    """Return the manifests of an overlay, as kubectl renders it."""
    command = ["kubectl", "kustomize", str(FOLDER / overlay)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 fixed
    assert result.stderr == ""
    return list(yaml.safe_load_all(result.stdout))


@pytest.fixture(scope="module", autouse=True)
def schemas() -> Iterator[None]:
    """Read each schema once: they have a megabyte."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


def validate(found: list[Manifest], version: str) -> None:
    """Validate manifests strictly: no field is unknown. ServiceMonitor is not Kubernetes' own."""
    for one in found:
        if one["kind"] != "ServiceMonitor":
            kubernetes_validate.validate(one, version, strict=True)


def test_written_manifests_follow_the_oldest_schemas() -> None:
    """They are complete without an overlay; a wrong field is found."""
    validate(manifests(FOLDER), OLDEST)

    wrong = {**BASE["Service", "mlflow"], "specification": {}}
    with pytest.raises(kubernetes_validate.ValidationError, match="specification"):
        validate([wrong], OLDEST)


@NEEDS_KUBECTL
@pytest.mark.parametrize("overlay", ["overlays/trial", "overlays/production"])
def test_rendered_manifests_follow_the_newest_schemas(overlay: str) -> None:
    """Every Secret and ConfigMap that a pod names is there, or is the one that the operator makes."""
    found = rendered(overlay)

    validate(found, NEWEST)
    maps = {one["metadata"]["name"] for one in found if one["kind"] == "ConfigMap"}
    secrets = {one["metadata"]["name"]: set(one["data"]) for one in found if one["kind"] == "Secret"}
    text = yaml.safe_dump(pods(found))
    assert set(re.findall(r"configMap(?:Ref)?:\n\s+name: (\S+)", text)) == maps
    used = set(re.findall(r"secretKeyRef:\n\s+key: (\S+)\n\s+name: (\S+)", text))
    assert used
    assert overlay != "overlays/trial" or used == {(key, name) for name, keys in secrets.items() for key in keys}


def test_images_of_the_trial_are_loaded_and_not_pulled() -> None:
    """Each has the version of Almanac, which Kubernetes takes from the node; docs/deploy.md builds and loads the same."""
    trial = yaml.safe_load((FOLDER / "overlays/trial/kustomization.yaml").read_text(encoding="utf-8"))
    names = {f"{one['name']}:{one['newTag']}" for one in trial["images"]}
    commands = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")

    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert names == {f"almanac-{name}:{version}" for name in ("service", "training")}
    assert set(re.findall(r"^docker build .*--tag (\S+)", commands, re.MULTILINE)) == names
    assert set(re.findall(r"^kind load docker-image (\S+) (\S+)", commands, re.MULTILINE)[0]) == names


def test_the_alerts_become_a_rule_of_the_operator() -> None:
    """The command in docs/deploy.md makes it of the very rules of the composition."""
    commands = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^(\{ printf .*?\}) \| kubectl", commands, re.MULTILINE | re.DOTALL)
    made = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603, S607

    rule = yaml.safe_load(made.stdout)
    assert rule["kind"] == "PrometheusRule"
    assert rule["spec"] == yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text(encoding="utf-8"))


@NEEDS_KUBECTL
def test_production_changes_the_base() -> None:
    """Registry, replicas, workers and the public name are the overlay's."""
    found = {(one["kind"], one["metadata"]["name"]): one for one in rendered("overlays/production")}

    images = {one["image"] for spec in pods(list(found.values())) for one in spec["containers"]}
    assert images == {f"registry.example.org/almanac-{name}:0.2.0" for name in ("service", "training")}
    assert found["HorizontalPodAutoscaler", "almanac"]["spec"]["minReplicas"] == 3
    assert found["StatefulSet", "almanac-worker"]["spec"]["replicas"] == 2
    assert {one["metadata"].get("namespace") for one in found.values()} == {"almanac"}
    (names,) = [one["data"] for (kind, name), one in found.items() if kind == "ConfigMap" and "mlflow" not in name]
    assert "forecast.example.org" in names["ALMANAC_ALLOWED_HOSTS"].split(",")
    assert set(CONFIG) == set(names)


@pytest.mark.parametrize("spec", pods(manifests(FOLDER)), ids=lambda spec: spec["containers"][0]["name"])
def test_pods_have_no_privileges(spec: Manifest) -> None:
    """No root, no capabilities, read-only roots, limits; the user is the image's, and no variable comes from a Service's name."""
    expected = CONTAINERS["postgres"].user if spec["containers"][0]["name"] == "postgres" else (10001, 10001)

    assert spec["enableServiceLinks"] is False
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == expected
    for one in (*spec["containers"], *spec.get("initContainers", [])):
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert one["securityContext"]["allowPrivilegeEscalation"] is False
        assert "memory" in one["resources"]["limits"]
        mounted = {mount["name"] for mount in one["volumeMounts"]}
        claims = {"home", "data"} if "volumes" in spec else set()
        assert mounted <= {volume["name"] for volume in spec["volumes"]} | claims


WORKLOADS = [
    ("Deployment", "almanac", "service-1"),
    ("StatefulSet", "almanac-worker", "worker"),
    ("Deployment", "mlflow", "mlflow"),
    ("Job", "migrate", "migrate"),
    ("CronJob", "training", "training"),
]


@pytest.mark.parametrize(("kind", "name", "container"), WORKLOADS, ids=lambda value: value)
def test_workloads_are_the_containers_of_the_composition(kind: str, name: str, container: str) -> None:
    """Image, command, environment variables and paths are those of docker-compose.yml."""
    ours, theirs = main_container(kind, name), CONTAINERS[container]
    image = image_of(ours["image"])
    command = (*ours.get("command", image.entrypoint), *ours.get("args", image.command))
    settings = {key for key in theirs.environment if key.startswith(("ALMANAC_", "MLFLOW_", "PG"))}
    optional = {"ALMANAC_HOME", "ALMANAC_WORKERS", "ALMANAC_METRICS_KEY", "ALMANAC_WORKER_KEY"}

    assert image.name == theirs.image.name
    assert command == theirs.command or name == "migrate"
    assert settings - optional <= set(variables(ours))
    assert {mount.target for mount in theirs.mounts if mount.is_volume} <= {
        mount["mountPath"] for mount in ours["volumeMounts"]
    }
    assert {port["containerPort"] for port in ours.get("ports", [])} <= {LISTENS.get(theirs.service)}


def test_settings_exist_and_addresses_are_those_of_the_services() -> None:
    """Every variable is a setting; names and ports in addresses are Services of the base."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {"ALMANAC_SERVICE_URL", "ALMANAC_WORKER_ID", "ALMANAC_API_KEY"}
    for kind, name, _ in WORKLOADS:
        assert {key for key in variables(main_container(kind, name)) if key.startswith(PREFIX)} <= known
    for address in (CONFIG["MLFLOW_TRACKING_URI"], CONFIG["ALMANAC_SERVICE_URL"]):
        name, _, port = address.removeprefix("http://").partition(":")
        assert [one["port"] for one in BASE["Service", name]["spec"]["ports"]] == [int(port)]


def test_probes_are_the_health_checks_of_the_composition() -> None:
    """Ready sends traffic, live restarts; the worker and MLflow are asked by the same commands."""
    service, health = main_container("Deployment", "almanac"), CONTAINERS["service-1"].health
    worker, mlflow = CONTAINERS["worker"].health, CONTAINERS["mlflow"].health
    assert health is not None
    assert worker is not None
    assert mlflow is not None

    assert service["readinessProbe"]["httpGet"]["path"] in health.command[-1]
    assert service["livenessProbe"]["httpGet"]["path"] == "/health/live"
    asked = main_container("StatefulSet", "almanac-worker")["readinessProbe"]["exec"]["command"]
    assert tuple(asked) == worker.command
    assert tuple(main_container("Deployment", "mlflow")["readinessProbe"]["exec"]["command"]) == mlflow.command


def test_replicas_have_time_to_end() -> None:
    """The grace period is longer than the composition's by the sleep before the signal."""
    for kind, name, container in WORKLOADS[:3]:
        (spec,) = pods([BASE[kind, name]])
        before = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert spec["terminationGracePeriodSeconds"] >= CONTAINERS[container].grace + before


def test_keys_have_scopes_that_exist() -> None:
    """Each replica stores the same keys as the composition, and one for clients."""
    (spec,) = pods([BASE["Deployment", "almanac"]])
    lines = spec["initContainers"][0]["args"][0].splitlines()
    composed = [line for line in CONTAINERS["migrate"].command[-1].splitlines() if "key add" in line]

    assert lines[: len(composed)] == composed
    scopes = [scope for line in lines for scope in re.findall(r"--scope (\S+)", line)[0].split(",")]
    assert set(scopes) <= set(SCOPES)
    assert {re.findall(r"--from (\S+)", line)[0] for line in lines} <= {
        one["name"] for one in spec["initContainers"][0]["env"]
    }


def test_policies_and_services_select_pods_that_exist() -> None:
    """Names in selectors are labels of pods."""
    labels = {
        one["spec"].get("jobTemplate", one)["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
        for (kind, _), one in BASE.items()
        if kind in ("Deployment", "StatefulSet", "Job", "CronJob")
    }
    text = (FOLDER / "base" / "network.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"app.kubernetes.io/name: ([\w-]+)", text))
    for listed in re.findall(r"values: \[(.*)\]", text):
        named |= {name.strip() for name in listed.split(",")}

    assert named <= labels
    assert (FOLDER / "base/auth.ini").read_text() == (ROOT / "deploy/mlflow/auth.ini").read_text()
