from typing import Any

from matplotlib.figure import Figure
from numpy.testing import assert_array_equal

from tests.training.fake_service import make_forecast, make_row
from training.cli.accuracy_figures import draw_accuracy
from training.service_client.live_accuracy import LiveAccuracy


def make_live(**changes: Any) -> LiveAccuracy:  # noqa: ANN401 (any field)
    """Return two steps, two periods and three forecasts."""
    steps = [make_row(step=step, backtest={"mase": 0.6, "naive_mase": 1.0}) for step in (1, 2)]
    periods = [make_row(period=period, coverage={"80": 0.8, "95": 0.9}) for period in ("2024-10", "2024-11")]
    parts: dict[str, Any] = {"versions": [], "steps": steps, "periods": periods}
    return LiveAccuracy("temperatures", "10", **{**parts, "forecasts": [make_forecast(n) for n in range(3)], **changes})


def legend(figure: Figure, index: int) -> list[str]:
    """Return the legend of one of the axes."""
    found = figure.axes[index].get_legend()
    return [text.get_text() for text in found.get_texts()] if found else []


def test_error_by_step_coverage_and_forecasts_are_drawn() -> None:
    """Live error with backtest and seasonal naive, both intervals, and a panel for each forecast."""
    figure = draw_accuracy(make_live())

    assert len(figure.axes) == 5
    assert legend(figure, 0) == [
        "seasonal naive, live", "seasonal naive, backtest", "forecasts, live", "forecasts, backtest",
    ]  # fmt: skip
    assert legend(figure, 1) == ["within 80 %", "within 95 %"]
    assert [axes.get_title() for axes in figure.axes[2:]] == ["station 0", "station 1", "station 2"]
    assert_array_equal(figure.axes[0].lines[2].get_ydata(), [0.612, 0.612])
    assert_array_equal(figure.axes[3].lines[1].get_ydata(), [3.0, 2.0, 1.0])
    assert "240 forecast steps scored" in figure.get_suptitle()


def test_unknown_figures_are_not_drawn() -> None:
    """Without backtest, scaled error, interval and forecasts there is still a figure, and no warning."""
    bare = make_row(step=1, mase=None, naive_mase=None)
    unknown = make_row(period="2024", coverage={"80": None, "95": None})

    figure = draw_accuracy(make_live(steps=[bare], periods=[unknown], forecasts=[]))

    assert len(figure.axes) == 2
    assert legend(figure, 0) + legend(figure, 1) == []
