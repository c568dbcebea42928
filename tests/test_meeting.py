"""The job queue, where service and training meet without knowing each other: they say the same words."""

from dataclasses import fields

import pytest

from service.jobs import client
from service.jobs.configs import CONFIG_FIELDS
from service.settings import Settings
from training.config.training import TrainConfig
from training.jobs import names

WORDS = ("APPLICATION", "APPLICATION_VERSION", "SCHEMA", "QUEUE", "WORKFLOW", "WATCH_SCHEDULE", "PROGRESS", "SUMMARY")


@pytest.mark.parametrize("word", WORDS)
def test_both_sides_call_it_the_same(word: str) -> None:
    """Or a job would wait for ever in a queue that nobody reads."""
    assert getattr(client, word) == getattr(names, word)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ALMANAC_HOME": "/data/almanac"},
        {"ALMANAC_HOME": "/data/almanac", "ALMANAC_JOBS_URL": "sqlite:////jobs/jobs.db"},
        {"ALMANAC_JOBS_URL": "postgresql://me:secret@db/almanac"},
        {"ALMANAC_JOBS_URL": "postgres://me:secret@db/almanac?sslmode=require"},
        {"ALMANAC_JOBS_URL": "postgresql+psycopg://me:secret@db/almanac"},
    ],
)
def test_both_sides_look_in_the_same_place(environment: dict[str, str]) -> None:
    """For each way in which the address may be given; the service alone gives up waiting for a lost server."""
    ours = client._address(Settings.from_environment(environment).jobs)

    theirs = names.jobs_url(environment)

    assert ours.partition("?")[0] == theirs.partition("?")[0]
    assert ("connect_timeout" in ours) == ours.startswith("postgresql")
    assert ("sslmode=require" in ours) == ("sslmode=require" in theirs)


def test_the_service_knows_every_setting_of_a_training() -> None:
    """One that is added to training is added there, or it would be refused over REST."""
    assert set(CONFIG_FIELDS) == {item.name for item in fields(TrainConfig)}
