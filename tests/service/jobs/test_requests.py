"""Job requests: valid bodies, and the code and pointer of each error."""

import json
from typing import Any

import pytest

from models.errors import AlmanacError
from service.jobs.requests import parse_job, parse_schedule

CONFIG = {"horizon": 12}


def job(**members: Any) -> bytes:  # noqa: ANN401 (any JSON)
    """Return a body of POST /jobs."""
    return json.dumps({"name": "sales", "config": CONFIG, **members}).encode()


def schedule(**members: Any) -> bytes:  # noqa: ANN401 (any JSON)
    """Return a body of POST /schedules."""
    return json.dumps({"name": "sales", "cron": "0 3 1 * *", "config": CONFIG, **members}).encode()


def nested(depth: int) -> Any:  # noqa: ANN401 (any JSON)
    """Return a list in a list in a list."""
    return [nested(depth - 1)] if depth else 1


def test_the_model_can_be_named_in_the_configuration() -> None:
    """The job's configuration always contains it."""
    new = parse_job(json.dumps({"config": {"horizon": 12, "name": "sales"}}).encode())

    assert new.name == "sales"
    assert new.workflow_input({"horizon": 12})["config"] == {"horizon": 12, "name": "sales"}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"{", "JSON_INVALID", ""),
        (b'{"name": "a", "config": {"horizon": NaN}}', "JSON_INVALID", ""),
        (b"[]", "FIELD_INVALID", ""),
        (b"{}", "FIELD_MISSING", "/name"),
        (job(name=3), "FIELD_INVALID", "/name"),
        (job(name="../sales"), "FIELD_INVALID", "/name"),
        (job(name=".."), "FIELD_INVALID", "/name"),
        (job(name="a" * 101), "FIELD_INVALID", "/name"),
        (job(name="starter"), "FIELD_INVALID", "/name"),
        (job(if_needed="yes"), "FIELD_INVALID", "/if_needed"),
        (job(iff_needed=True), "FIELD_UNKNOWN", "/iff_needed"),
        (job(config={**CONFIG, "name": "rain"}), "FIELD_INVALID", "/config/name"),
        (job(config=[]), "FIELD_INVALID", "/config"),
        (job(config={}), "FIELD_MISSING", "/config/horizon"),
        (job(config={"horizon": 0}), "FIELD_INVALID", "/config/horizon"),
        (job(config={"horizon": True}), "FIELD_INVALID", "/config/horizon"),
        (job(config={"horizon": 1.5}), "FIELD_INVALID", "/config/horizon"),
        (job(config={**CONFIG, "horizn": 3}), "FIELD_UNKNOWN", "/config/horizn"),
        (job(config={**CONFIG, "fit": {"unitz": 3}}), "FIELD_UNKNOWN", "/config/fit/unitz"),
        (job(config={**CONFIG, "retrain": {"zzz": 3}}), "FIELD_UNKNOWN", "/config/retrain/zzz"),
        (job(config={**CONFIG, "columns": {"zzz": 3}}), "FIELD_UNKNOWN", "/config/columns/zzz"),
        (job(config={**CONFIG, "architecture": ["lstm", "lstm"]}), "CONFIG_INVALID", "/config/architecture"),
        (job(config={**CONFIG, "architecture": ["lstm", "gru"], "seeds": 26}), "CONFIG_INVALID", "/config/seeds"),
        (job(config={**CONFIG, "frequency": "fortnightly-ish"}), "FIELD_INVALID", "/config/frequency"),
        (job(config={**CONFIG, "frequency": 3}), "FIELD_INVALID", "/config/frequency"),
        (job(config={**CONFIG, "fit": 3}), "FIELD_INVALID", "/config/fit"),
        (job(config={**CONFIG, "retrain": {"drift": -1}}), "CONFIG_INVALID", "/config/retrain/drift"),
        (job(config={**CONFIG, "retrain": {"drift": "much"}}), "CONFIG_INVALID", "/config/retrain/drift"),
        (job(config={"horizon": 10**9}), "CONFIG_INVALID", "/config/horizon"),
        (job(config={**CONFIG, "fit": {"units": 10**9}}), "CONFIG_INVALID", "/config/fit/units"),
        (job(config={**CONFIG, "fit": {"units": 2048, "layers": 32}}), "CONFIG_INVALID", "/config/fit"),
        (job(config={**CONFIG, "seed": 10**400}), "FIELD_INVALID", "/config"),
        (job(config={**CONFIG, "unit": "a" * 5_000}), "FIELD_INVALID", "/config"),
        (job(config={**CONFIG, "unit": "\0"}), "FIELD_INVALID", "/config"),
        (job(config={**CONFIG, "pick": nested(6)}), "FIELD_INVALID", "/config"),
        (job(config={**CONFIG, "fit": {"a" * 200: 1}}), "FIELD_INVALID", "/config"),
        (job(config={**CONFIG, "architecture": ["lstm"] * 3_000}), "FIELD_INVALID", "/config"),
    ],
)
def test_a_wrong_job_has_its_code_and_pointer(body: bytes, code: str, pointer: str) -> None:
    """And a short detail."""
    with pytest.raises(AlmanacError) as caught:
        parse_job(body)

    assert (caught.value.code, caught.value.pointer) == (code, pointer)
    assert len(caught.value.detail) < 400


@pytest.mark.parametrize(
    "data",
    [
        "sales.csv",
        "./sales.csv",
        "../sales.csv",
        "/dev/stdin",
        "/proc/self/environ",
        "/data/../etc/passwd",
        "~/sales.csv",
        "file:///data/sales.csv",
        "https://example.com/sales.csv",
        "",
        3,
        None,
        ["/data/sales.csv"],
    ],
)
def test_data_is_the_service_or_an_absolute_path(data: Any) -> None:  # noqa: ANN401 (any JSON)
    """Not a relative path, one with `..`, or a URL."""
    with pytest.raises(AlmanacError) as caught:
        parse_job(job(config={**CONFIG, "data": data}))

    assert caught.value.pointer == "/config/data"


def test_a_configuration_is_passed_on_unchanged() -> None:
    """With the default of `data`."""
    config = {"horizon": 12, "data": "/data/a.csv", "fit": {"units": 3}, "retrain": {"origins": 2}, "holidays": ["DE"]}

    sent, default = (parse_job(job(config=one)).config for one in (config, CONFIG))

    assert sent is not None
    assert default is not None
    assert sent.to_dict() == config
    assert default.to_dict() == {**CONFIG, "data": "service"}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"{}", "FIELD_MISSING", "/name"),
        (schedule(cron=None), "FIELD_MISSING", "/cron"),
        (schedule(config=None), "FIELD_MISSING", "/config"),
        (schedule(cron=5), "FIELD_INVALID", "/cron"),
        (schedule(cron="0 25 * * *"), "SCHEDULE_INVALID", "/cron"),
        (schedule(cron="* * * * * *"), "SCHEDULE_INVALID", "/cron"),
        (schedule(timezone="Mars/Olympus"), "SCHEDULE_INVALID", "/timezone"),
        (schedule(timezone=3), "FIELD_INVALID", "/timezone"),
        (schedule(name="a/b"), "FIELD_INVALID", "/name"),
        (schedule(name="starter"), "FIELD_INVALID", "/name"),
        (schedule(if_needed=1), "FIELD_INVALID", "/if_needed"),
        (schedule(zone="UTC"), "FIELD_UNKNOWN", "/zone"),
        (schedule(config={**CONFIG, "promote": True}), "FIELD_INVALID", "/config/promote"),
    ],
)
def test_a_wrong_schedule_has_its_code_and_pointer(body: bytes, code: str, pointer: str) -> None:
    """As a wrong job has."""
    with pytest.raises(AlmanacError) as caught:
        parse_schedule(body)

    assert (caught.value.code, caught.value.pointer) == (code, pointer)
