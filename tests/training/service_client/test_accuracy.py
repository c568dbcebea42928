"""Live: a model's accuracy asked of a service, as any client may."""

import socket
from typing import Any

import pytest

from models.errors import ServiceUnreachable
from tests.training.live import Answers, serving
from training.service_client.accuracy import Address, read_accuracy


def test_the_newest_version_is_shown_step_by_step() -> None:
    """Ten comes after nine; rows come in order, whatever the service's."""
    answers = Answers()
    with serving(answers) as url:
        found = read_accuracy(Address(url + "/", "alm_secret"), "temperatures", "week", 2)

    assert found.version == "10"
    assert [row["version"] for row in found.versions] == ["9", "10"]
    assert [row["step"] for row in found.steps] == [1, 2, 3]
    assert [row["period"] for row in found.periods] == ["2024-10", "2024-11"]
    assert len(found.forecasts) == 2
    assert [question["by"] for question in answers.questions] == ["version", "step,version", "period,version"]
    assert (answers.questions[1]["model"], answers.questions[1]["version"]) == ("temperatures", "10")
    assert answers.questions[2]["period"] == "week"
    assert set(answers.keys) == {"Bearer alm_secret"}


def test_a_version_may_be_named() -> None:
    """The service is asked for it alone."""
    answers = Answers()
    answers.versions = ["9"]
    with serving(answers) as url:
        found = read_accuracy(Address(url), "temperatures/9", "month", 0)

    assert (found.name, found.version) == ("temperatures", "9")
    assert answers.questions[0]["model"] == "temperatures/9"
    assert answers.keys[0] is None


def test_a_model_without_scores_is_asked_for_once() -> None:
    """There is nothing to show of it but what waits."""
    answers = Answers()
    answers.versions = []
    with serving(answers) as url:
        found = read_accuracy(Address(url), "temperatures", "month", 6)

    assert (found.version, found.due, found.steps) == (None, 4, [])
    assert len(answers.questions) == 1


@pytest.mark.parametrize(
    ("status", "problem", "words"),
    [
        (401, b'{"detail": "No key.", "hint": "Send one."}', "answers 401: No key. Send one."),
        (500, b"<html>", "answers 500: Internal Server Error"),
    ],
)
def test_a_refusal_is_told_in_the_services_words(status: int, problem: bytes, words: str) -> None:
    """Or by its status, where the service has none."""
    answers = Answers()
    answers.status, answers.problem = status, problem

    with serving(answers) as url, pytest.raises(ServiceUnreachable, match=words):
        read_accuracy(Address(url), "temperatures", "month", 0)


def test_nobody_there_is_told_with_a_remedy() -> None:
    """A port where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    with pytest.raises(ServiceUnreachable, match=r"almanac serve"):
        read_accuracy(Address(url), "temperatures", "month", 0)


class Stranger(Answers):
    """A program that answers something else."""

    def answer(self, question: dict[str, str]) -> dict[str, Any]:
        """Return no rows."""
        return {"question": question}


def test_another_program_there_is_told() -> None:
    """JSON, but no accuracy."""
    with serving(Stranger()) as url, pytest.raises(ServiceUnreachable, match="is no Almanac"):
        read_accuracy(Address(url), "temperatures", "month", 0)
