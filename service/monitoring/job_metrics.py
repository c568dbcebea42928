"""Job metrics: gauges of jobs and workers for Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.jobs.counts import JobCounts


class JobMetrics(Collector):
    """Jobs that wait or run, and the workers that run them, as the service has read them last."""

    def __init__(self, counts: Callable[[], JobCounts | None]) -> None:
        """Read from `counts`, which returns None while there is no queue or it does not answer."""
        self._counts = counts

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return four gauges, without samples if nothing is known."""
        jobs = GaugeMetricFamily("almanac_jobs", "Jobs that wait or run.", labels=["state"])
        workers = GaugeMetricFamily("almanac_workers_busy", "Workers that run a job.", labels=[])
        oldest = GaugeMetricFamily(
            "almanac_jobs_oldest_queued_timestamp_seconds",
            "When the job that waits longest was requested; 0 if none waits.",
            labels=[],
        )
        failed = GaugeMetricFamily(
            "almanac_job_failed", "1 if the model's last job, of the last week, failed; otherwise 0.", labels=["model"]
        )
        if (counts := self._counts()) is not None:
            jobs.add_metric(["QUEUED"], counts.queued)
            jobs.add_metric(["RUNNING"], counts.running)
            workers.add_metric([], counts.workers)
            oldest.add_metric([], counts.oldest_queued)
            for model, has_failed in counts.failed.items():
                failed.add_metric([model], has_failed)
        return [jobs, workers, oldest, failed]
