"""Service and training never import each other: what both list must stay the same."""

from dataclasses import fields

from service.jobs.configs import JobConfig
from training.config.training import TrainConfig


def test_the_service_knows_every_setting_of_a_training() -> None:
    """REST refuses a setting that is missing in the service's list."""
    assert set(JobConfig.model_fields) == {item.name for item in fields(TrainConfig)}
