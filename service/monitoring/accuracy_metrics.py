"""Accuracy metrics: what Prometheus reads of live errors, by version and step bucket and never by series."""

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.monitoring.accuracy import accuracy_figures, by_bucket, by_version, compare_with_backtest
from service.monitoring.backtest_figures import BacktestCache
from service.monitoring.scorer import LiveScores, Scorer


class AccuracyMetrics(Collector):
    """The accuracy_figures as they were counted last; reading them asks no database."""

    def __init__(self, scorer: Scorer, promises: BacktestCache) -> None:
        """Read from these two, whenever asked."""
        self._scorer = scorer
        self._promises = promises

    def describe(self) -> Iterable[Metric]:
        """Return the families without samples, so that registering reads nothing."""
        return [*_families().values(), _counter()]

    def collect(self) -> Iterable[Metric]:
        """Return MASE, skill and coverage by version and bucket, compare_with_backtest by version, and how scoring is doing."""
        families = _families()
        if live := self._scorer.live:
            _add_figures(families, live)
            self._add_decay(families, live)
            families["due"].add_metric([], live.due)
            families["counted"].add_metric([], live.counted)
        counter = _counter()
        counter.add_metric([], self._scorer.scored)
        return [*families.values(), counter]

    def _add_decay(self, families: Mapping[str, GaugeMetricFamily], live: LiveScores) -> None:
        for (model, version), steps in by_version(live.steps).items():
            if found := compare_with_backtest(steps, self._promises.of(model, version)):
                families["ratio"].add_metric([model, version], found.ratio)
                families["naive_ratio"].add_metric([model, version], found.naive_ratio)


def _add_figures(families: Mapping[str, GaugeMetricFamily], live: LiveScores) -> None:
    for labels, tally in by_bucket(live.steps).items():
        told = accuracy_figures(tally)
        families["scores"].add_metric(labels, told["scores"])
        for name in ("mase", "skill"):
            if told[name] is not None:
                families[name].add_metric(labels, told[name])
        for level, share in told["coverage"].items():
            if share is not None:
                families["coverage"].add_metric([*labels, level], share)


def _counter() -> CounterMetricFamily:
    return CounterMetricFamily("almanac_forecasts_scored", "Forecasts that this replica has claimed and scored.")


def _families() -> Mapping[str, GaugeMetricFamily]:
    version = ["model", "version"]
    step = [*version, "steps"]
    return {
        "scores": GaugeMetricFamily("almanac_live_scores", "Forecast steps scored in the last days.", labels=step),
        "mase": GaugeMetricFamily(
            "almanac_live_mase", "Mean absolute scaled error of the steps scored in the last days.", labels=step
        ),
        "skill": GaugeMetricFamily(
            "almanac_live_skill", "1 - MASE / MASE of seasonal naive on the same history.", labels=step
        ),
        "coverage": GaugeMetricFamily(
            "almanac_live_coverage",
            "Share of truths within the central interval of a level in per cent.",
            labels=[*step, "level"],
        ),
        "ratio": GaugeMetricFamily(
            "almanac_live_error_ratio", "LiveScores MASE over the backtest's at the same steps.", labels=version
        ),
        "naive_ratio": GaugeMetricFamily(
            "almanac_live_naive_error_ratio",
            "The same of seasonal naive: above 1 the series themselves have become harder.",
            labels=version,
        ),
        "due": GaugeMetricFamily("almanac_forecasts_due", "Forecasts that wait to be scored.", labels=[]),
        "counted": GaugeMetricFamily(
            "almanac_accuracy_counted_timestamp_seconds", "When live accuracy was counted last.", labels=[]
        ),
    }
