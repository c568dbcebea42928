from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from models import artifact
from models.series import Series
from tests.artifacts import make_artifact
from tests.training.fakes import make_epoch
from training.data.holdout import Split
from training.evaluation import figures
from training.evaluation.forecast_figure import draw_forecasts
from training.evaluation.scores import predict_baseline, score


def labels(figure: Figure) -> list[str]:
    """Return the titles and axis labels of a figure."""
    return [text for axes in figure.axes for text in (axes.get_title(), axes.get_xlabel(), axes.get_ylabel())]


def test_the_backtest_shows_observed_values_forecast_and_interval(split: Split, tmp_path: Path) -> None:
    """Each series has a panel with its unit; they share one legend."""
    predictions = predict_baseline("seasonal_naive", split)

    figure = figures.draw_backtest(split, predictions, title="lstm: held out", unit="°C")

    figures.save_figures({"backtest": figure}, tmp_path)
    assert (tmp_path / "backtest.png").read_bytes().startswith(b"\x89PNG")
    assert labels(figure)[:3] == ["a", "date", "°C"]
    assert len(figure.axes) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "observed", "cutoff", "95 % interval", "80 % interval", "forecast (median)",
    ]  # fmt: skip


def test_a_series_without_dates_is_drawn_by_step(tmp_path: Path) -> None:
    """Its axis has steps from the cutoff."""
    bare = Series.make(np.arange(40.0))
    forecaster = artifact.load(make_artifact(tmp_path / "m"))
    forecasts = forecaster.forecast([bare], 12, levels=(80.0, 95.0))

    figure = draw_forecasts([bare], forecasts, 12, title="next", unit="sales")

    assert labels(figure)[1:3] == ["step from the cutoff", "sales"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "observed", "95 % interval", "80 % interval", "forecast (median)",
    ]  # fmt: skip


@pytest.mark.parametrize(("season", "history"), [(12, 36), (1, 24), (24, 40)])
def test_a_forecast_is_drawn_after_three_seasons(tmp_path: Path, season: int, history: int) -> None:
    """As far as there is so much history, and at least two horizons."""
    bare = Series.make(np.arange(40.0))
    forecasts = artifact.load(make_artifact(tmp_path / "m")).forecast([bare], 12)

    observed = draw_forecasts([bare], forecasts, season, title="next").axes[0].lines[0]

    assert len(observed.get_xdata()) == history  # type: ignore[arg-type]


def test_many_series_are_small_multiples(tmp_path: Path) -> None:
    """Each has a panel of its own, with its id."""
    many = [Series.make(np.arange(40.0), id=f"s{number}") for number in range(20)]
    forecasts = artifact.load(make_artifact(tmp_path / "m")).forecast(many, 12)

    figure = draw_forecasts(many, forecasts, 12, title="next")

    assert [axes.get_title() for axes in figure.axes] == [one.id for one in many]


def test_error_by_step_is_drawn_with_the_baselines(split: Split) -> None:
    """The model and each baseline have a line."""
    scores = score(split, predict_baseline("climatology", split))

    figure = figures.draw_error_by_step(scores, {"seasonal_naive": scores}, name="lstm")

    assert [line.get_label() for line in figure.axes[0].lines] == ["seasonal naive", "lstm"]
    assert labels(figure)[1] == "step ahead"


def test_gradient_norms_have_the_line_of_vanished_gradients() -> None:
    """The scale is logarithmic; a layer below the line no longer trains."""
    figure = figures.draw_gradient_norms([make_epoch(1), make_epoch(2)], name="lstm")

    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    assert figures.VANISHED in [line.get_ydata()[0] for line in axes.lines]  # type: ignore[index]
    assert {"encoder", "encoder_1"} <= {line.get_label() for line in axes.lines}


@pytest.mark.parametrize(("season", "lines"), [(12, 5), (1, 0)])
def test_memory_marks_the_seasons(season: int, lines: int) -> None:
    """Five years of memory have five marked seasons; data without a season have none."""
    figure = figures.draw_memory(tuple(np.full(60, 1 / 60)), season, name="lstm")

    assert sum(len(line.get_xdata()) == 2 for line in figure.axes[0].lines) == lines  # type: ignore[arg-type]


def test_learning_marks_the_lowest_error_of_each_stage() -> None:
    """A stage without a validation error has no mark."""
    tried = [replace(make_epoch(number), stage=stage) for number, stage in ((1, "none"), (2, "none"), (3, "log"))]
    last = replace(make_epoch(4), stage="all data", validation_mase=float("nan"))

    figure = figures.draw_learning([*tried, last], name="lstm")

    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [list(dot.get_xdata()) for dot in dots] == [[2], [3]]  # type: ignore[arg-type]
    assert [text.get_text() for text in figure.axes[0].texts] == ["none", "log", "all data"]


def test_more_than_ten_layers_differ_by_kind_and_shade() -> None:
    """Layers of a kind share a hue, and no two layers have the same colour."""
    layers = [f"{kind}_{2**depth}_{depth}" for kind in ("dilation", "residual", "skip") for depth in range(7)]
    epoch = replace(make_epoch(1), gradient_norms=dict.fromkeys(["input_projection", *layers], 0.1))

    axes = figures.draw_gradient_norms([epoch], name="wavenet").axes[0]

    colors = {str(line.get_label()): to_rgb(line.get_color()) for line in axes.lines if line.get_label() in layers}
    assert len(set(colors.values())) == len(layers)
    assert all(blue > red for name, (red, _, blue) in colors.items() if name.startswith("dilation"))
    assert sum(colors["skip_1_0"]) > sum(colors["skip_64_6"])


@pytest.mark.parametrize("importances", [{"fit.units": 0.7, "fit.layers": 0.3}, {}])
def test_a_search_shows_errors_and_importances(importances: dict[str, float]) -> None:
    """The best line follows completed trials only; without importances the title says why."""
    figure = figures.draw_search([(0, 1.0, True), (1, 0.8, True), (2, 1.5, False)], importances, title="Study x")

    axes, bars = figure.axes
    (best,) = axes.get_lines()
    np.testing.assert_array_equal(best.get_xydata(), [[0, 1.0], [1, 0.8], [2, 0.8]])
    assert [label.get_text() for label in bars.get_yticklabels()] == list(importances)[::-1]
    assert ("too few" in bars.get_title()) is (not importances)
