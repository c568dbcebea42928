"""The service and training have the same configuration fields, though neither imports the other."""

from dataclasses import fields

from service.jobs.configs import JobConfig
from training.config.training import TrainConfig


def test_a_job_has_the_fields_of_a_training() -> None:
    """REST rejects any other field."""
    assert set(JobConfig.model_fields) == {item.name for item in fields(TrainConfig)}
