"""Accuracy metrics: live errors for Prometheus, by version and step bucket, never by series."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.monitoring.backtest_figures import BacktestCache
from service.monitoring.score_figures import accuracy_figures, by_bucket, by_version, compare_with_backtest
from service.monitoring.scorer import LiveScores


class AccuracyMetrics(Collector):
    """The figures that the scorer counted last; collecting them does not query the database."""

    def __init__(self, live: Callable[[], LiveScores | None], backtests: BacktestCache) -> None:
        """Read from these two at each collection."""
        self._live = live
        self._backtests = backtests

    def describe(self) -> Iterable[Metric]:
        """Return the families without samples, so that registering reads nothing."""
        return [*_families().values()]

    def collect(self) -> Iterable[Metric]:
        """Return MASE, skill and coverage by version and bucket, error ratios by version, and the state of scoring."""
        families = _families()
        if live := self._live():
            _add_figures(families, live)
            self._add_ratios(families, live)
            families["due"].add_metric([], live.due)
            families["counted"].add_metric([], live.counted)
        return [*families.values()]

    def _add_ratios(self, families: Mapping[str, GaugeMetricFamily], live: LiveScores) -> None:
        for (model, version), steps in by_version(live.steps).items():
            if found := compare_with_backtest(steps, self._backtests.find(model, version)):
                families["ratio"].add_metric([model, version], found.ratio)
                families["naive_ratio"].add_metric([model, version], found.naive_ratio)


def _add_figures(families: Mapping[str, GaugeMetricFamily], live: LiveScores) -> None:
    for labels, sums in by_bucket(live.steps).items():
        figures = accuracy_figures(sums)
        families["scores"].add_metric(labels, figures["scores"])
        for name in ("mase", "skill"):
            if figures[name] is not None:
                families[name].add_metric(labels, figures[name])
        for level, share in figures["coverage"].items():
            if share is not None:
                families["coverage"].add_metric([*labels, level], share)


def _families() -> Mapping[str, GaugeMetricFamily]:
    version = ["model", "version"]
    step = [*version, "steps"]
    return {
        "scores": GaugeMetricFamily("almanac_live_scores", "Forecast steps scored in the last days.", labels=step),
        "mase": GaugeMetricFamily(
            "almanac_live_mase", "Mean absolute scaled error of the steps scored in the last days.", labels=step
        ),
        "skill": GaugeMetricFamily(
            "almanac_live_skill", "1 - MASE / MASE of seasonal naive from the same histories.", labels=step
        ),
        "coverage": GaugeMetricFamily(
            "almanac_live_coverage",
            "Share of actual values in the central interval of a level in per cent.",
            labels=[*step, "level"],
        ),
        "ratio": GaugeMetricFamily(
            "almanac_live_error_ratio", "Live MASE / backtest MASE of the same steps.", labels=version
        ),
        "naive_ratio": GaugeMetricFamily(
            "almanac_live_naive_error_ratio",
            "Live / backtest MASE of seasonal naive: above 1 the series have become harder.",
            labels=version,
        ),
        "due": GaugeMetricFamily("almanac_forecasts_due", "Forecasts that wait to be scored.", labels=[]),
        "counted": GaugeMetricFamily(
            "almanac_accuracy_counted_timestamp_seconds", "Time of the last count of live accuracy.", labels=[]
        ),
    }
