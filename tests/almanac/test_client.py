"""The client of a service: chunks, retries, errors, and its twin for asyncio."""

import asyncio
import json
import re

import httpx
import pandas as pd
import pytest
from starlette.testclient import TestClient

import almanac
from almanac.calls import TRIES, pause_seconds
from almanac.errors import (
    KeyMissing,
    ModelUnknown,
    NoModel,
    ServiceOverloaded,
    ServiceUnreachable,
    TimestampsDuplicated,
)
from tests.almanac.conftest import months, transport_to

BUSY = {"code": "QUEUE_FULL", "detail": "The queue is full.", "hint": "Try again."}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return what is waited for; nothing is."""
    waited: list[float] = []
    monkeypatch.setattr("almanac.client.sleep", waited.append)
    return waited


def answering(*answers: httpx.Response | Exception) -> almanac.Client:
    """Return a client of a service that answers with these one after the other, and with the last one for ever."""
    left = list(answers)

    def answer(_request: httpx.Request) -> httpx.Response:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return almanac.connect("http://service", transport=httpx.MockTransport(answer))


def test_forecasts_of_the_service_are_those_of_this_process(client: almanac.Client) -> None:
    """The same frame; a chunk for each series changes nothing."""
    frame = months("a", "b", "c")
    here = almanac.forecast(frame, 3, levels=[80, 95]).frame

    for chunk in (1, 500):
        found = client.forecast(frame, 3, model="starter", levels=[80, 95], chunk=chunk)
        pd.testing.assert_frame_equal(found.frame, here, rtol=1e-9)


def test_errors_of_series_and_of_the_request_are_the_types_of_the_tree(client: almanac.Client) -> None:
    """A series' error is beside the others' forecasts; that of the request, or of all series, is raised."""
    frame = pd.concat([months("a"), months("b").assign(ds=pd.Timestamp("2024-01-01"))])

    with pytest.warns(almanac.AlmanacWarning, match="b: "):
        found = client.forecast(frame, 3, model="starter")

    assert isinstance(found.errors["b"], TimestampsDuplicated)
    with pytest.raises(TimestampsDuplicated, match="Series 'b'") as raised:
        client.forecast(frame.tail(2), 3, model="starter")
    assert raised.value.ids == ("b",)
    with pytest.raises(ModelUnknown):
        client.forecast(frame, 3, model="nothing")


def test_a_request_that_is_too_large_is_sent_in_halves(shared_client: TestClient) -> None:
    """Whatever the service's limit is: here one series."""
    inner = transport_to(shared_client)

    def answer(request: httpx.Request) -> httpx.Response:
        if len(json.loads(request.content)["series"]) > 1:
            return httpx.Response(422, json={"code": "BATCH_TOO_LARGE", "detail": "Too many.", "hint": ""})
        return inner.handle_request(request)

    client = almanac.connect("http://testserver", transport=httpx.MockTransport(answer))

    assert client.forecast(months("a", "b", "c"), 3, model="starter").ids == ["a", "b", "c"]


def test_a_busy_service_is_asked_again(pauses: list[float]) -> None:
    """After the seconds of Retry-After, and later and later without it."""
    ok = httpx.Response(200, json={"models": []})
    busy = [httpx.Response(429, json=BUSY, headers={"retry-after": "7"}), httpx.Response(503, json=BUSY)]

    assert answering(*busy, httpx.ConnectError("refused"), ok).models() == []

    assert pauses[0] == 7
    assert 0.7 < pauses[1] < 1.3 < pauses[2]


@pytest.mark.parametrize(
    ("answer", "error", "tries"),
    [
        (httpx.Response(503, json=BUSY), ServiceOverloaded, TRIES),
        (httpx.Response(503, json={"code": "NO_MODEL", "detail": "No model.", "hint": "Train one."}), NoModel, 1),
        (httpx.ConnectError("refused"), ServiceUnreachable, TRIES),
        (httpx.Response(200, text="<html>"), ServiceUnreachable, 1),
        (httpx.Response(404, text="nginx"), ServiceUnreachable, 1),
        (httpx.Response(401, json={"code": "KEY_MISSING", "detail": "No key.", "hint": "Send one."}), KeyMissing, 1),
        (httpx.Response(400, json={"code": "OF_TOMORROW", "detail": "New."}), almanac.AlmanacError, 1),
    ],
)
def test_what_is_no_answer_is_an_error(
    answer: httpx.Response | Exception, error: type[Exception], tries: int, pauses: list[float]
) -> None:
    """With its type."""
    with pytest.raises(error):
        answering(answer).models()

    assert len(pauses) == tries - 1


def test_a_date_in_retry_after_is_at_most_a_minute_away() -> None:
    """A service that is away for a day is an error, not a day of waiting."""
    assert pause_seconds(httpx.Response(503, headers={"retry-after": "Wed, 01 Jan 2098 00:00:00 GMT"}), 1) == 60


def test_what_cannot_be_asked_is_said_before_anything_is_sent() -> None:
    """An option that there is not, and a client that is closed."""
    client = answering(httpx.ConnectError("sent"))
    with pytest.raises(TypeError, match="no option 'bogus'"):
        client.forecast(months("a"), 3, bogus=1)  # type: ignore[call-arg]

    client.close()

    with pytest.raises(almanac.AlmanacError, match="The client is closed"):
        client.models()


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ServiceUnreachable, match=re.escape(repr(url))):
        almanac.connect(url)


@pytest.mark.parametrize("key", ["alm_…", "alm\n"])
def test_what_is_no_key_is_refused(key: str) -> None:
    """A header cannot have it; the text does not show it."""
    with pytest.raises(almanac.errors.ConfigInvalid) as raised:
        almanac.connect("http://service", key)
    assert key not in str(raised.value)


def test_observations_are_stored_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are refused have their place in the frame, also in the warning."""
    monkeypatch.setattr("almanac.service_calls.CHUNK_ROWS", 40)
    wrong = {"code": "SERIES_INFINITE", "detail": "inf", "pointer": "/rows/1/value", "hint": "", "id": "a"}
    noticed = {
        "warnings": [{"code": "NUMBERS_READ", "detail": "read", "pointer": "", "hint": "`?date_format`"}],
        "repairs": [{"id": "a", "code": "TIMEZONE_FOUND", "detail": "found"}],
    }
    answers = [
        {"accepted": 40, "refused": 0, "errors": [], **noticed},
        {"accepted": 7, "refused": 1, "errors": [wrong], **noticed, "repairs": []},
    ]

    with pytest.warns(almanac.AlmanacWarning, match=r"1 of 48 rows are not stored .* Row 41: inf"):
        found = answering(*(httpx.Response(200, json=one) for one in answers)).observe(months("a"))

    assert (found.accepted, found.refused) == (47, 1)
    assert [(one["code"], one["hint"]) for one in found.warnings] == [("NUMBERS_READ", "date_format=")]
    assert found.repairs == noticed["repairs"]
    assert [(row, error.code, error.ids) for row, error in found.errors.items()] == [(41, "SERIES_INFINITE", ("a",))]


def test_a_frame_of_which_no_row_can_be_stored_is_an_error(client: almanac.Client) -> None:
    """As in `forecast`; if some rows can be stored, there is a warning."""
    frame = months("a")

    with pytest.raises(almanac.AlmanacError, match="'q'"):
        client.observe(frame.assign(y="q"))
    with pytest.warns(almanac.AlmanacWarning, match="1 of"):
        client.observe(frame.assign(y=["q", *frame["y"].astype(str)[1:]]))


def test_what_is_observed_can_be_asked_for(client: almanac.Client) -> None:
    """The service stores it; accuracy and jobs are what it responds."""
    assert client.observe(months("shop").rename(columns={"y": "sold"}), target_col="sold").accepted == 48
    written = months("day").assign(ds=lambda data: data["ds"].dt.strftime("%d/%m/%Y"))
    assert client.observe(written, date_format="%d/%m/%Y").accepted == 48
    assert client.observe(months("1").assign(area="n"), id_col=["area", "unique_id"]).accepted == 48
    assert client.accuracy("temperatures")["rows"] == []
    assert client.jobs() == []
    assert client.model("temperatures")["spec"]["frequency"] == "M"


def test_the_twin_for_asyncio_has_the_same_methods(shared_client: TestClient) -> None:
    """And returns the same."""
    own = {name for name in vars(almanac.Client) if not name.startswith("_")}
    assert own == {name for name in vars(almanac.AsyncClient) if not name.startswith("_")}

    async def ask() -> almanac.Forecasts:
        transport = httpx.ASGITransport(shared_client.app)
        async with almanac.connect_async("http://testserver", transport=transport) as client:
            assert [one["name"] for one in await client.models()] == ["temperatures", "starter"]
            return await client.forecast(months("a"), 3, model="starter")

    pd.testing.assert_frame_equal(asyncio.run(ask()).frame, almanac.forecast(months("a"), 3).frame, rtol=1e-9)


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("Send `Authorization: Bearer KEY`.", "api_key=.*--key.*ALMANAC_API_KEY"),
        ("The key a is its successor.", "successor"),
    ],
)
def test_a_missing_key_has_the_remedy_of_python_and_of_the_command_line(hint: str, shown: str) -> None:
    """Not the name of a header."""
    answer = httpx.Response(401, json={"code": "KEY_MISSING", "detail": "No key.", "hint": hint})

    with pytest.raises(KeyMissing, match=shown):
        answering(answer).models()
