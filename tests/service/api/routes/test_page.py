"""The page at /: its files, what protects them, and what a key may do."""

import hashlib
import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from service.api.routes import page
from tests.service.api.test_security import add_keys
from tests.service.home import ServiceHome

UPLOT_SHA256 = "2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2"
"""Of `dist/uPlot.iife.min.js` in version 1.6.31 of the npm package `uplot`."""
MOST_BYTES = 500_000


def loaded(client: TestClient) -> set[str]:
    """Return the addresses of the page's files: those that it names, and those that its modules import."""
    named = re.findall(r'(?:src|href)="(page/[^"]+)"', client.get("/").text)
    imported = [
        f"{named[0].rpartition('/')[0]}/{name}"
        for path in page.FOLDER.glob("*.js")
        for name in re.findall(r'(?:from |import\()"\./([^"]+)"', path.read_text())
    ]
    return {*named, *imported}


def test_the_page_and_all_its_files_are_small_and_come_from_this_service(shared_client: TestClient) -> None:
    """Compressed, with the charting library, under half a megabyte; no address of another host."""
    answers = [shared_client.get("/"), *(shared_client.get(f"/{name}") for name in sorted(loaded(shared_client)))]

    assert {answer.status_code for answer in answers} == {200}
    assert sum(int(answer.headers["content-length"]) for answer in answers) < MOST_BYTES
    ours = [path.read_text() for path in page.FOLDER.iterdir() if path.suffix in page.TYPES]
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)[\w.]+", "".join(ours)) == []


def test_head_is_answered_like_get_without_a_body(shared_client: TestClient) -> None:
    """Monitors ask so."""
    for path in ("/", "/page/app.js"):
        head, get = shared_client.head(path), shared_client.get(path)

        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", get.headers["etag"])


def test_scripts_and_styles_stand_in_files(shared_client: TestClient) -> None:
    """The Content-Security-Policy allows no others, and no text becomes HTML."""
    answer = shared_client.get("/")

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert re.findall(r"<script>|<style|\son\w+=|\sstyle=", answer.text) == []
    scripts = "".join(path.read_text() for path in page.FOLDER.glob("*.js"))
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|localStorage.*[kK]ey\b", scripts)
        == []
    )


def test_an_unchanged_file_is_not_sent_again(shared_client: TestClient) -> None:
    """The browser asks for the page with its ETag each time, so that an upgrade is seen at once, and keeps the files of a release."""
    first = shared_client.get("/")

    again = shared_client.get("/", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    kept = [shared_client.get(f"/page/{one}/app.js") for one in (page.find_release(), "older")]
    assert [one.headers["cache-control"] for one in (first, *kept)] == ["no-cache", page.KEPT, "no-cache"]
    assert kept[0].content == kept[1].content


@pytest.mark.parametrize("name", ["__init__.py", "none.js", "..%2Fapp.py", "%2e%2e/page/app.js", ".js"])
def test_no_other_file_is_served(shared_client: TestClient, name: str) -> None:
    """Only those of the page."""
    assert shared_client.get(f"/page/{name}").status_code == 404


def test_the_charting_library_is_the_published_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package that carries it has the file of its authors; without the package there is no file, and the page says so."""
    found = page.read_page_file("uplot.js")

    assert found is not None
    assert hashlib.sha256(found[0]).hexdigest() == UPLOT_SHA256
    monkeypatch.setattr(page, "find_spec", lambda _name: None)
    assert page.read_page_file("uplot.js") is None


def test_a_session_has_the_scopes_of_its_key(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """All scopes while no keys are set; then those of the key, and 401 without one. The page itself stays open."""
    client = start(wait=False)
    assert client.get("/page/session").json()["scopes"][-1] == "admin"
    secrets = add_keys(home, reader=("read",))

    with_key = client.get("/page/session", headers={"x-api-key": secrets["reader"]})

    assert (with_key.json()["scopes"], with_key.json()["keys"]) == (["read"], True)
    assert client.get("/page/session", headers={"x-api-key": "alm_wrong"}).json()["code"] == "KEY_MISSING"
    assert [client.get(path).status_code for path in ("/", "/page/app.js", "/page/session")] == [200, 200, 401]
