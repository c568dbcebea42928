"""Every alert fires where it should and stays silent where it should not, according to promtool."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.system

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "rules.yml"
MINUTES = 150

CHAMPION = {'almanac_model_info{model="sales",version="2",alias="champion"}': "1x150"}
MANY, FEW = ({'almanac_live_scores{model="sales",version="2",steps="1"}': f"{count}x150"} for count in (300, 100))


def live(figure: str, value: float, labels: str = 'steps="1"') -> dict[str, str]:
    """Return a figure of live accuracy of the champion."""
    return {f'almanac_live_{figure}{{model="sales",version="2",{labels}}}': f"{value}x150"}


def requests(failed: int) -> dict[str, str]:
    """Return 1,000 requests a minute of which so many fail."""
    status = 'almanac_requests_total{{route="/forecast",method="POST",status="{}"}}'
    return {status.format(503): f"0+{failed}x150", status.format(200): f"0+{1000 - failed}x150"}


def forecasts(fast: int) -> dict[str, str]:
    """Return 1,000 forecasts a minute of which so many take at most a second."""
    route = 'route="/forecast"'
    return {
        f'almanac_request_seconds_bucket{{{route},le="1.0"}}': f"0+{fast}x150",
        f"almanac_request_seconds_count{{{route}}}": "0+1000x150",
    }


def one(series: str, values: object) -> dict[str, str]:
    """Return one series that is the same at all times, or the values in promtool's notation."""
    return {series: str(values) if "x" in str(values) else f"{values}x150"}


REPLICA, OTHER = (f'up{{job="almanac",instance="{name}"}}' for name in "ab")
COVERAGE = 'steps="1",level="80"'
RATIO = 'steps=""'
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "AlmanacDown": (one('up{job="almanac"}', 0), one('up{job="almanac"}', 1)),
    "AlmanacGone": (one(REPLICA, "1x100 stale _x49"), one(REPLICA, 1)),
    "AlmanacReplicasFewer": (
        one(REPLICA, 1) | one(OTHER, "1x143 stale _x6"),
        one(REPLICA, 1) | one(OTHER, "1x100 stale _x1 1x48"),
    ),
    "AlmanacFails": (requests(50), requests(5)),
    "AlmanacAvailabilityBurns": (requests(50), requests(5)),
    "AlmanacLatencyBurns": (forecasts(800), forecasts(900)),
    "AlmanacSheds": (
        one('almanac_requests_shed_total{reason="rate"}', "0+60x150"),
        one('almanac_requests_shed_total{reason="client gone"}', "0+60x150"),
    ),
    "AlmanacModelStale": (
        one('almanac_model_age_seconds{model="sales",version="2"}', 91 * 86400),
        one('almanac_model_age_seconds{model="sales",version="2"}', 89 * 86400),
    ),
    "AlmanacSkillNegative": (CHAMPION | MANY | live("skill", -0.1), CHAMPION | FEW | live("skill", -0.1)),
    "AlmanacJobOverdue": (
        one("almanac_jobs_oldest_queued_timestamp_seconds", 60),
        one("almanac_jobs_oldest_queued_timestamp_seconds", 0),
    ),
    "AlmanacJobFailed": (
        one('almanac_job_failed{model="sales"}', 1),
        one('almanac_job_failed{model="sales"}', "1x20 0x130"),
    ),
    "AlmanacRegistryUnreachable": (one("almanac_registry_up", 0), one("almanac_registry_up", 1)),
    "AlmanacInputsDrifted": (
        one('almanac_input_drift_score{model="sales"}', 0.3),
        one('almanac_input_drift_score{model="sales"}', 0.2),
    ),
    "AlmanacCoverageLost": (CHAMPION | MANY | live("coverage", 0.6, COVERAGE), MANY | live("coverage", 0.6, COVERAGE)),
    "AlmanacErrorsDecayed": (
        CHAMPION | MANY | live("error_ratio", 1.5, RATIO),
        CHAMPION | MANY | live("error_ratio", 1.1, RATIO),
    ),
    "AlmanacForecastsUnscored": (one("almanac_forecasts_due", 2000), one("almanac_forecasts_due", 10)),
    "AlmanacDatabaseDown": (one("almanac_database_up", 0), one("almanac_database_up", 1)),
    "AlmanacResourceShort": (
        one('almanac_resource_short{resource="memory"}', "0 0 1 _x3 " * 30),
        one('almanac_resource_short{resource="memory"}', "1x4 0x146"),
    ),
    "AlmanacClockSet": (one("almanac_clock_jump_seconds", -86400), one("almanac_clock_jump_seconds", "60x100 0x50")),
    "AlmanacForecastsLost": (
        one('almanac_ledger_lost_total{reason="full"}', "0+4x150"),
        one('almanac_ledger_lost_total{reason="erased"}', "0+4x150"),
    ),
    "AlmanacChampionGone": (one("almanac_registry_champions_gone", 1), one("almanac_registry_champions_gone", 0)),
    "AlmanacJobsWait": (
        one('almanac_jobs{state="QUEUED"}', 2) | one('almanac_jobs{state="RUNNING"}', 0),
        one('almanac_jobs{state="QUEUED"}', 2) | one('almanac_jobs{state="RUNNING"}', 1),
    ),
}


def group(alert: str, series: dict[str, str], *, fires: bool) -> dict[str, Any]:
    """Return promtool's test of one alert."""
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    return {
        "name": f"{alert} {'fires' if fires else 'is silent'}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": firing, "eval_time": f"{MINUTES}m", "exp_samples": [{"labels": "{}", "value": int(fires)}]}
        ],
    }


def test_every_alert_fires_and_is_silent_in_its_cases(tmp_path: Path) -> None:
    """There is a case of both for each alert of the rules."""
    shutil.copy(RULES, tmp_path)
    tests = [
        group(alert, series, fires=fires)
        for alert, cases in CASES.items()
        for series, fires in zip(cases, (True, False), strict=True)
    ]
    cases = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(cases), encoding="utf-8")

    command = ["promtool", "test", "rules", "cases.yml"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 fixed

    assert found.returncode == 0, found.stdout + found.stderr
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    assert {rule["alert"] for rule in rules if "alert" in rule} == CASES.keys()
