"""Views: saved views of MLflow's runs table, which its UI keeps as tags of an experiment, and their addresses.

MLflow 3.17 opens an experiment on another page, with one collapsed row and no metric. A saved view has columns, order and
filter, is in the menu "Views", and is opened by `viewStateShareKey` in the address. Rows are flat unless sorted by date.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

COMPARISON, HISTORY, SEARCH = "newest-comparison", "all-comparisons", "newest-search"
"""Keys of the saved views."""

PARENT = "mlflow.parentRunId"
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Tag of an experiment of trainings: not one of traces."""

SCORES = (
    "metrics.`backtest.mase`",
    "metrics.`backtest.skill_seasonal_naive`",
    "metrics.`backtest.coverage_80`",
    "metrics.`validation.mase`",
)


@dataclass(frozen=True, slots=True)
class View:
    """A saved view of the runs table.

    Attributes:
        key: What the address names it by.
        title: Its name in the menu.
        filter: MLflow's search expression.
        order: Column to sort by.
        columns: Columns beside the run's name and date, in order.
        ascending: Whether the least value is first.
    """

    key: str
    title: str
    filter: str
    order: str
    columns: tuple[str, ...]
    ascending: bool = True

    def tag(self, now_ms: int) -> dict[str, str]:
        """Return the experiment's tag that keeps the view, as MLflow's UI writes it."""
        state = {
            "searchFilter": self.filter,
            "orderByKey": self.order,
            "orderByAsc": self.ascending,
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "modelVersionFilter": "All Runs",
            "datasetsFilter": [],
            "selectedColumns": list(self.columns),
            "columnOrder": list(self.columns),
            "runsHiddenMode": "FIRST_20_RUNS",
        }
        saved = {"name": self.title, "createdAt": now_ms, "updatedAt": now_ms, "state": json.dumps(state)}
        return {f"mlflow.sharedViewState.{self.key}": json.dumps(saved)}


def comparison_view(parent: str) -> View:
    """Return the view of a comparison: its candidates and baselines, the least MASE first."""
    columns = (*SCORES, "tags.`winner`", "tags.`almanac.kind`", "metrics.`forecast_ms`", "metrics.`train_seconds`")
    return View(COMPARISON, "Newest comparison by MASE", f"tags.`{PARENT}` = '{parent}'", SCORES[0], columns)


def history_view() -> View:
    """Return the view of all comparisons of a model: each with its winner, the newest first."""
    columns = (*SCORES, *(f"tags.`{one}`" for one in ("winner", "beats_baselines", "version", "promoted")))
    own = "tags.`almanac.kind` = 'comparison'"
    return View(HISTORY, "All comparisons", own, "attributes.start_time", columns, ascending=False)


def search_view(parent: str) -> View:
    """Return the view of a search for settings: its trials, the least validation error first."""
    columns = ("metrics.`validation.mase`", "tags.`trial.state`", "tags.`trial.drawn`", "metrics.`train_seconds`")
    return View(SEARCH, "Newest search by validation MASE", f"tags.`{PARENT}` = '{parent}'", columns[0], columns)


def experiment_note(experiment: str, tags: Mapping[str, str]) -> str:
    """Return the description of an experiment in Markdown: links to those of its views that exist."""
    links = {
        COMPARISON: "Newest comparison: candidates and baselines by MASE",
        HISTORY: "All comparisons: winner and decision of each",
        SEARCH: "Newest search: trials by validation MASE",
    }
    there = [key for key in links if f"mlflow.sharedViewState.{key}" in tags]
    return " · ".join(f"[{links[key]}]({view_fragment(experiment, key)})" for key in there)


def run_fragment(experiment: str, run_id: str) -> str:
    """Return the part of a run's address after the server's: among trainings, not among the runs of language models."""
    return f"#/experiments/{experiment}/runs/{run_id}?workflowType=machine_learning"


def view_fragment(experiment: str, key: str) -> str:
    """Return the part of a saved view's address after the server's."""
    return f"#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={key}"
