"""Whether a model should be trained again, by the figures of the service."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.retraining import reasons
from models.retraining.reasons import RetrainAssessment
from models.retraining.thresholds import Thresholds
from service.api.routes.jobs import retrain_query
from service.api.schemas.accuracy import AccuracyResponse
from service.api.schemas.observations import CountResponse
from service.errors import ModelLoading
from service.monitoring.retrain_reasons import assess_retraining
from tests.service.api.routes.test_accuracy import BACKTEST
from tests.service.home import ServiceHome
from tests.service.live_accuracy import fill, get, scored, service_of
from training.registry.location import Version
from training.service_client import live_accuracy
from training.service_client.client import Address

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def assessed(home: ServiceHome, start: Callable[..., TestClient], database_url: str) -> TestClient:
    """Return a client of a service whose champion has a backtest, was trained up to 2022, and has scores."""
    home.publish("temperatures", "1")
    home.change_spec("temperatures", "1", backtest=BACKTEST, trained_to="2022-12-31")
    client = start(database_url=database_url)
    fill(client)
    scored(client)
    return client


def ask(client: TestClient, name: str = "temperatures", **thresholds: Any) -> RetrainAssessment:  # noqa: ANN401 - any threshold
    """Return the assessment of a model."""
    service = service_of(client)
    return assess_retraining(
        service.database.sync_database, retrain_query(service, name, Thresholds(**thresholds)), NOW
    )


def test_the_assessment_uses_the_figures_of_the_api(assessed: TestClient) -> None:
    """Of GET /accuracy with the same window, and of GET /observations/count."""
    assessment = ask(assessed, window=30, min_scores=5, new_observations=1)
    known = {one.code: one for one in assessment.reasons}

    answer = get(assessed, model="temperatures/1", window=30)
    assert known["SKILL_BELOW_ZERO"].value == answer["rows"][0]["skill"]
    assert known["COVERAGE_OFF"].value == answer["rows"][0]["coverage"]["80"]
    errors = answer["drift"]["errors"][0]
    assert known["ERROR_DECAY"].value == pytest.approx(errors["ratio"] / errors["naive_ratio"])
    newer = assessed.get("/observations/count", params={"after": "2022-12-31", "frequency": "M"}).json()
    assert known["NEW_OBSERVATIONS"].value == newer["observations"] > 0
    assert (assessment.version, assessment.at, assessment.retrain) == ("1", NOW.isoformat(), True)
    assert not known["INPUT_DRIFT"].known
    assert answer["since"] is not None
    AccuracyResponse.model_validate(answer)
    CountResponse.model_validate(newer)


def test_training_comes_to_the_same_assessment(assessed: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker uses the REST API, as any client."""

    def get_json(_address: Address, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        response: dict[str, Any] = assessed.get(path, params=parameters).raise_for_status().json()
        return response

    monkeypatch.setattr(live_accuracy, "get_json", get_json)
    champion = Version("temperatures", "1", ("champion",), "run", "lstm", 0, {}, "")
    spec = service_of(assessed).catalog.champions["temperatures"].forecaster.spec
    thresholds = Thresholds(window=30, min_scores=5, new_observations=1)

    seen = live_accuracy.read_live(Address("http://almanac"), champion, spec, thresholds)

    here = ask(assessed, window=30, min_scores=5, new_observations=1)
    assert reasons.assess_retraining("temperatures", seen, thresholds, here.at).to_dict() == here.to_dict()


def test_a_window_is_a_part_of_the_scores(assessed: TestClient) -> None:
    """A later `since` makes it smaller still."""
    whole, part, later = (
        get(assessed, model="temperatures/1", **asked)["rows"][0]["scores"]
        for asked in ({}, {"window": 6}, {"window": 6, "since": "2025-08"})
    )

    assert whole > part > later > 0


def test_without_scores_there_is_no_reason(stored_client: TestClient) -> None:
    """Nor without dates of the training, and without inputs: all are unknown."""
    assessment = ask(stored_client)

    assert not assessment.retrain
    assert sum(not one.known for one in assessment.reasons) == 5


def test_a_name_without_a_champion_would_be_trained(stored_client: TestClient) -> None:
    """That is the only reason."""
    assert [one.code for one in ask(stored_client, "rain").reasons if one.holds] == ["NO_CHAMPION"]


def test_a_champion_that_is_not_loaded_is_not_assessed(
    stored_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request can be sent again."""
    service = service_of(stored_client)
    monkeypatch.setattr(service.catalog, "_champions", {})

    with pytest.raises(ModelLoading):
        retrain_query(service, "temperatures", Thresholds())


def test_a_wrong_parameter_of_the_count_is_refused(client: TestClient) -> None:
    """Also a missing one."""
    for parameters, code, pointer in (
        ({"after": "yesterday"}, "TIMESTAMP_INVALID", "/after"),
        ({"after": "2024-01", "frequency": "fortnightly-ish"}, "FREQUENCY_UNKNOWN", ""),
        ({}, "FIELD_INVALID", "/after"),
    ):
        problem = client.get("/observations/count", params=parameters).json()
        assert (problem["status"], problem["code"]) == (422, code)
        assert problem["pointer"].startswith(pointer)
