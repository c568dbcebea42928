"""Live accuracy of a model, from a fake service."""

from typing import Any

import pytest

from models.errors import ServiceUnreachable
from tests.training.fake_service import FakeService, serving
from training.service_client.client import Address
from training.service_client.live_accuracy import read_accuracy


def test_the_newest_version_is_shown_step_by_step() -> None:
    """Version 10 is newer than 9, and rows are sorted."""
    service = FakeService()
    with serving(service) as url:
        found = read_accuracy(Address(url + "/", "alm_secret"), "temperatures", "week", 2)

    assert found.version == "10"
    assert [row["version"] for row in found.versions] == ["9", "10"]
    assert [row["step"] for row in found.steps] == [1, 2, 3]
    assert [row["period"] for row in found.periods] == ["2024-10", "2024-11"]
    assert len(found.forecasts) == 2
    assert [query["by"] for query in service.requests] == ["version", "step,version", "period,version"]
    assert (service.requests[1]["model"], service.requests[1]["version"]) == ("temperatures", "10")
    assert service.requests[2]["period"] == "week"
    assert set(service.keys) == {"Bearer alm_secret"}


def test_a_version_may_be_given() -> None:
    """The overview has that version alone."""
    service = FakeService()
    service.versions = ["9"]
    with serving(service) as url:
        found = read_accuracy(Address(url), "temperatures/9", "month", 0)

    assert (found.name, found.version) == ("temperatures", "9")
    assert service.requests[0]["model"] == "temperatures/9"
    assert service.keys[0] is None


def test_a_model_without_scores_needs_one_request() -> None:
    """Only the number of waiting forecasts is known."""
    service = FakeService()
    service.versions = []
    with serving(service) as url:
        found = read_accuracy(Address(url), "temperatures", "month", 6)

    assert (found.version, found.due, found.steps) == (None, 4, [])
    assert len(service.requests) == 1


class OtherProgram(FakeService):
    """A program that returns JSON, but no accuracy."""

    def respond(self, query: dict[str, str]) -> dict[str, Any]:
        """Return no rows."""
        return {"query": query}


def test_another_program_is_no_service() -> None:
    """Its JSON has no rows."""
    with serving(OtherProgram()) as url, pytest.raises(ServiceUnreachable):
        read_accuracy(Address(url), "temperatures", "month", 0)
