"""Prometheus rules and the Grafana dashboards use metrics that exist."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from service.api.operations import NAMES
from service.app import create_app
from service.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DASHBOARDS: dict[str, dict[str, Any]] = {
    name: json.loads((DEPLOY / "grafana" / "dashboards" / f"{name}.json").read_text(encoding="utf-8"))
    for name in ("service", "accuracy", "retraining")
}
RULES: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text(encoding="utf-8"))[
    "groups"
][0]["rules"]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
EXPRESSIONS = [
    *(target["expr"] for one in DASHBOARDS.values() for panel in one["panels"] for target in panel["targets"]),
    *(rule["expr"] for rule in RULES),
]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the names of all metrics of a service, as Prometheus reads them."""
    home = tmp_path_factory.mktemp("home")
    app: FastAPI = create_app(Settings(home=home), supervise=False)
    families = list(app.state.service.metrics.registry.collect())
    endings = ("", "_total", "_bucket", "_sum", "_count")
    return {family.name + ending for family in families for ending in endings}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_uses_existing_metrics(metrics: set[str], expression: str) -> None:
    """Every metric is one of the service's or recorded by a rule."""
    named = set(re.findall(r"\b(?:almanac|process)_\w+", expression))
    recorded = set(re.findall(r"\balmanac:\w+(?::\w+)?", expression))

    assert named <= metrics
    assert recorded <= RECORDED
    assert named or recorded or "up{" in expression


def test_the_dashboard_shows_every_gauge_of_live_accuracy(metrics: set[str]) -> None:
    """The dashboard shows every gauge of live accuracy."""
    drawn = " ".join(target["expr"] for panel in DASHBOARDS["accuracy"]["panels"] for target in panel["targets"])
    live = {
        name
        for name in metrics
        if name.startswith("almanac_live_") and not re.search(r"_(total|bucket|sum|count)$", name)
    }

    assert len(live) == 6
    assert {name for name in live if name not in drawn} == set()


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    """Panels do not overlap, have unique ids and a description, and each variable that they use is defined."""
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]

    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
    assert all(panel["description"].endswith(".") for panel in dashboard["panels"])
    used = set(re.findall(r"\$\{?([a-z]+)", json.dumps(dashboard["panels"])))
    assert used <= {variable["name"] for variable in dashboard["templating"]["list"]}


def test_every_alert_has_a_remedy() -> None:
    """Every alert has a summary, a remedy and a line in the runbook."""
    alerts = [rule for rule in RULES if "alert" in rule]

    assert len(alerts) >= 7
    assert all(rule["annotations"]["summary"] and rule["annotations"]["remedy"] for rule in alerts)
    runbook = (DEPLOY.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in alerts if f"| `{rule['alert']}` |" not in runbook] == []


def test_the_panel_of_forecasts_asks_paths_that_exist() -> None:
    """With the query of Grafana's plugin Infinity."""
    panel = json.loads((DEPLOY / "grafana" / "forecast.json").read_text(encoding="utf-8"))["panels"][0]
    paths = [one["url"].removeprefix("${address}").partition("?")[0] for one in panel["targets"]]

    assert [path.replace("${series}", "{series_id}") for path in paths] == [
        path for method, path in NAMES if method == "get" and path.startswith("/series/")
    ]
