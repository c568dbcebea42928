"""`almanac doctor`: each kind of fault has a line with a remedy."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import formatdate
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from click.testing import CliRunner

from almanac.commands.doctor import doctor
from almanac.doctor import files, versions
from almanac.doctor.check import Check, run_part
from almanac.doctor.configuration import check_configuration, read_settings
from almanac.doctor.databases import check_clock, check_database, check_jobs, check_workers
from almanac.doctor.registry import Champion, check_artifact, check_date, check_registry
from almanac.doctor.service import check_service
from models import artifact
from models.audit import log
from service.settings import Settings
from service.store.tables import HEAD
from tests.service.home import Artifacts, ServiceHome

NOW = 1_790_000_000.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty ALMANAC_HOME."""
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("ALMANAC_HOME", str(path))
    monkeypatch.setattr(httpx, "get", answering(httpx.ConnectError("refused")))  # whatever runs on this machine
    return path


@pytest.fixture
def settings(home: Path) -> Settings:
    """Return the settings with that home."""
    return Settings(home=home)


def only(name: str, part: Callable[[], Iterator[Check]]) -> Check:
    """Return the first check of a part that is not ok, as `almanac doctor` shows it."""
    return next(one for one in run_part(name, part) if one.state != "ok")


def test_a_sound_home_has_no_fault(home: Path, migrated: Path, artifacts: Artifacts) -> None:
    """The command ends with 0, and its JSON names every part; nothing but SQLite's own files is created."""
    shutil.copy(migrated, home)
    registry(home, shutil.copytree(artifacts.get(), home / "artifacts" / "model"))

    result = CliRunner().invoke(doctor, ["--json"])

    found = orjson.loads(result.stdout)
    assert [one for one in found["checks"] if one["state"] != "ok"] == []
    assert (result.exit_code, found["ok"]) == (0, True)
    parts = {
        "configuration",
        "home",
        "keys",
        "disk",
        "database",
        "clock",
        "jobs",
        "registry",
        "artifact",
        "service",
        "versions",
    }
    assert {one["name"] for one in found["checks"]} == parts
    assert {one.name.partition("-")[0] for one in home.iterdir()} == {"almanac.db", "artifacts", "mlflow.db"}


def test_an_error_is_a_line_with_its_remedy_and_exit_code_1(home: Path) -> None:
    """On the terminal."""
    (home / "almanac.db").write_bytes(b"no database" * 100)

    result = CliRunner().invoke(doctor, [])

    assert result.exit_code == 1
    assert ["error", "database"] in [one.split()[:2] for one in result.stdout.splitlines()]
    assert "Stop the service" in result.stdout
    assert "1 errors, 0 warnings" in result.stdout


def test_each_invalid_setting_and_unknown_name_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typo has the name that it is near to; the default takes the place of an invalid value."""
    for name, value in {
        "WORKERS": "x",
        "MAX_SERIES": "0",
        "DATABASE_URL": "mysql://a",
        "RATEE": "1",
        "QQ": "1",
    }.items():
        monkeypatch.setenv(f"ALMANAC_{name}", value)
    given = list(os.environ)

    settings, faults = read_settings(os.environ)
    checks = list(check_configuration(given, os.environ, faults))

    errors = {one.detail.split()[0] for one in checks if one.state == "error"}
    warnings = {one.detail: one.remedy for one in checks if one.state == "warning"}
    assert errors == {"ALMANAC_WORKERS", "ALMANAC_MAX_SERIES", "ALMANAC_DATABASE_URL"}
    assert warnings["Nothing reads ALMANAC_RATEE."] == "Did you mean ALMANAC_RATE?"
    assert "docs/operations.md" in warnings["Nothing reads ALMANAC_QQ."]
    assert (settings.workers, settings.home) == (1, home)


def test_a_setting_of_workers_is_checked_too() -> None:
    """Its name is read by workers only."""
    fault = only("configuration", lambda: check_configuration((), {"ALMANAC_WATCH_CRON": "often"}, []))

    assert (fault.state, "often" in fault.detail) == ("error", True)


def test_a_home_that_cannot_be_written_or_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error, and a warning that says what creates it."""
    missing = only("home", lambda: files.check_home_folder(Settings(home=tmp_path / "new")))
    monkeypatch.setattr(os, "access", lambda *_: False)
    unwritable = only("home", lambda: files.check_home_folder(Settings(home=tmp_path)))

    assert (missing.state, "almanac serve" in missing.remedy) == ("warning", True)
    assert (unwritable.state, "ALMANAC_HOME" in unwritable.remedy) == ("error", True)


def test_a_home_that_was_copied_is_to_be_relocated(settings: Settings) -> None:
    """With the command that does it."""
    with closing(sqlite3.connect(settings.home / "mlflow.db")) as store, store:
        store.execute("CREATE TABLE experiments (artifact_location TEXT)")
        store.execute("INSERT INTO experiments VALUES ('file:///elsewhere/artifacts/1')")
        store.execute("INSERT INTO experiments VALUES ('file:///elsewhere/artifacts')")

    fault = only("home", lambda: files.check_home_folder(settings))

    assert (fault.state, fault.remedy.endswith("almanac home relocate")) == ("error", True)


def test_keys_that_others_can_write_and_those_that_have_expired(settings: Settings) -> None:
    """The remedy is a chmod, or almanac key."""
    path = settings.home / "keys.json"
    key = {"name": "old", "sha256": "0" * 64, "scopes": ["read"], "expires": "2020-01-01T00:00:00+00:00"}
    path.write_bytes(orjson.dumps({"keys": [key]}))
    path.chmod(0o600)
    expired = only("keys", lambda: files.check_keys(settings))
    path.chmod(0o666)

    fault = only("keys", lambda: files.check_keys(settings))

    assert (expired.state, "old" in expired.detail) == ("warning", True)
    assert (fault.state, "chmod 600" in fault.remedy) == ("error", True)


def test_an_audit_log_that_was_cut_off_is_a_warning(settings: Settings) -> None:
    """A whole one is no line of the report."""
    log.record_own(settings.home, "key.add")
    whole = list(files.check_audit(settings))
    (settings.home / log.FILE).write_bytes(b"")

    found = only("audit log", lambda: files.check_audit(settings))

    assert whole == []
    assert (found.state, "almanac audit" in found.remedy) == ("warning", True)


@pytest.mark.parametrize(("free", "state"), [(500_000_000, "warning"), (1_000_000, "error")])
def test_little_disk_is_a_warning_and_hardly_any_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    """With what can be removed."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9 - free, free))

    fault = only("disk", lambda: files.check_disk(settings))

    assert (fault.state, "cache" in fault.remedy) == (state, True)


@pytest.mark.parametrize(
    ("change", "state", "remedy"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", "warning", "almanac migrate"),
        ("DROP TABLE alembic_version", "warning", "almanac migrate"),
        ("UPDATE alembic_version SET version_num = '9999'", "error", "newer one"),
    ],
)
def test_tables_of_another_version(settings: Settings, migrated: Path, change: str, state: str, remedy: str) -> None:
    """Older ones are migrated; newer ones need a newer Almanac. The doctor itself migrates nothing."""
    shutil.copy(migrated, settings.home)
    with closing(sqlite3.connect(settings.home / "almanac.db")) as database, database:
        database.execute(change)

    fault = only("database", lambda: check_database(settings))

    assert (fault.state, remedy in fault.remedy, HEAD in fault.detail or "no tables" in fault.detail) == (
        state,
        True,
        True,
    )


def test_databases_that_do_not_answer_show_no_password(home: Path) -> None:
    """Those of observations and of jobs."""
    url = "postgresql://me:secret@127.0.0.1:1/almanac"
    settings = Settings(home=home, database_url=url, jobs_url=url)

    faults = [only("database", lambda: check_database(settings)), only("jobs", lambda: check_jobs(settings, {}))]

    assert [one.state for one in faults] == ["error", "error"]
    assert [one.remedy.startswith("Start PostgreSQL") for one in faults] == [True, True]
    assert ["ALMANAC_DATABASE_URL" in faults[0].remedy, "ALMANAC_JOBS_URL" in faults[1].remedy] == [True, True]
    assert all("secret" not in one.detail for one in faults)


def test_files_that_are_no_databases_to_open_have_their_path_in_the_remedy(home: Path) -> None:
    """A folder in place of the file."""
    (home / "folder").mkdir()
    url = f"sqlite:///{home / 'folder'}"
    settings = Settings(home=home, database_url=url, jobs_url=url)

    faults = [only("database", lambda: check_database(settings)), only("jobs", lambda: check_jobs(settings, {}))]

    assert [(one.state, str(home / "folder") in one.remedy) for one in faults] == [("error", True)] * 2


def test_a_jobs_database_without_tables_stays_as_it_is(settings: Settings) -> None:
    """A warning with what makes them."""
    file = settings.home / "jobs.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE others (a INTEGER)")
    before = file.read_bytes()

    fault = only("jobs", lambda: check_jobs(settings, {}))

    assert (fault.state, "almanac worker" in fault.remedy) == ("warning", True)
    assert file.read_bytes() == before


@pytest.mark.system
def test_a_database_that_does_not_exist_is_an_error_and_is_not_created(home: Path, postgresql: str) -> None:
    """Nor are tables in one that exists: the doctor's sessions leave the server as it was."""
    import psycopg

    absent = postgresql.rpartition("/")[0] + "/typo"
    with psycopg.connect(postgresql) as session:
        count = "SELECT (SELECT count(*) FROM pg_database), (SELECT count(*) FROM pg_namespace)"
        before = session.execute(count).fetchone()
        session.commit()
        missing = Settings(home=home, database_url=absent, jobs_url=absent)
        faults = [only("database", lambda: check_database(missing)), only("jobs", lambda: check_jobs(missing, {}))]
        there = only("jobs", lambda: check_jobs(Settings(home=home, jobs_url=postgresql), {}))

        assert session.execute(count).fetchone() == before
    assert [(one.state, '"typo" does not exist' in one.detail) for one in faults] == [("error", True)] * 2
    assert there.state == "warning"


def test_a_clock_that_is_behind_or_differs_from_the_registry() -> None:
    """A minute is allowed."""
    checks = [check_clock(NOW + ahead, NOW) for ahead in (-5.0, 50.0, 7200.0)]
    checks += [check_date(formatdate(NOW + ahead, usegmt=True), NOW) for ahead in (0, -7200, 7200)]

    assert [one.state for one in checks] == ["ok", "ok", "error", "ok", "error", "error"]
    assert "2:00:00" in checks[2].detail
    assert "7200 s ahead" in checks[4].detail


def test_workers_are_needed_for_what_is_scheduled_or_unfinished() -> None:
    """One that has ended with jobs is named, with what adopts them."""
    idle = list(check_workers([], [], []))
    alone = list(check_workers(["monthly"], [], []))
    dead = list(check_workers([], ["job"], [{"worker": "a", "alive": False, "jobs": ["job"]}]))
    runs = list(check_workers(["monthly"], [], [{"worker": "b", "alive": True, "jobs": []}]))

    assert [one.state for one in (*idle, *alone, *runs)] == ["ok", "error", "ok"]
    assert alone[0].remedy == "Start almanac worker."
    assert "almanac jobs adopt a" in dead[0].remedy


def test_a_damaged_registry_file_is_an_error(settings: Settings) -> None:
    """It may be restored from a backup."""
    (settings.home / "mlflow.db").write_bytes(b"no database" * 100)

    fault = only("registry", lambda: check_registry(settings, {}))

    assert (fault.state, "Backup" in fault.remedy) == ("error", True)


@pytest.mark.parametrize("damage", ["missing", "other golden"])
def test_an_artifact_that_is_missing_or_forecasts_otherwise(
    settings: Settings, artifacts: Artifacts, damage: str
) -> None:
    """Whether a local registry's or one that a service has downloaded."""
    folder = shutil.copytree(artifacts.get(), settings.home / "artifacts" / "model")
    if damage == "missing":
        (folder / artifact.NETWORK).unlink()
    else:
        golden = orjson.loads((folder / artifact.GOLDEN).read_bytes())
        golden["quantiles"][0][0][0] += 100
        (folder / artifact.GOLDEN).write_bytes(orjson.dumps(golden))
    registry(settings.home, folder)

    fault = only("registry", lambda: check_registry(settings, {}))

    assert (fault.name, fault.state, fault.remedy != "") == ("artifact", "error", True)
    assert fault.detail.startswith("temperatures/1: ")


def test_the_champion_of_a_server_is_checked_in_the_cache(home: Path, artifacts: Artifacts) -> None:
    """A damaged one is an error, one that was not downloaded yet a warning."""
    served = ServiceHome(home, artifacts)
    digest = served.publish("temperatures", "1")

    checks = [check_artifact(Champion("temperatures", number), served.cache) for number in ("1", "2")]
    (served.cache.path(digest) / artifact.SPEC).write_text("{}")

    assert [one.state for one in checks] == ["ok", "warning"]
    assert check_artifact(Champion("temperatures", "1"), served.cache).state == "error"


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (httpx.ConnectError("refused"), "does not answer: refused"),
        (httpx.Response(401), "refuses access (401)"),
        (httpx.Response(200, text="<html>"), "not as MLflow does"),
    ],
    ids=["unreachable", "password", "another server"],
)
def test_a_registry_server_that_does_not_serve(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    answer: Any,  # noqa: ANN401 - a response or an error
    part: str,
) -> None:
    """Without a password in the text."""
    monkeypatch.setattr(httpx, "get", answering(answer))
    settings = Settings(home=settings.home, MLFLOW_TRACKING_URI="http://me:secret@mlflow:5000")  # type: ignore[call-arg]

    fault = only("registry", lambda: check_registry(settings, {}))

    assert (fault.state, part in fault.detail, "MLFLOW_TRACKING_" in fault.remedy) == ("error", True, True)
    assert "secret" not in fault.detail


def test_the_champions_of_a_server(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """With its clock, and the user and password that MLflow's clients send."""
    models = [{"name": "sales", "aliases": [{"alias": "champion", "version": "3"}]}, {"name": "new"}]
    sent: dict[str, Any] = {}
    response = httpx.Response(
        200, json={"registered_models": models}, headers={"date": formatdate(time.time(), usegmt=True)}
    )
    monkeypatch.setattr(httpx, "get", answering(response, sent))
    settings = Settings(home=settings.home, MLFLOW_TRACKING_URI="http://mlflow:5000/")  # type: ignore[call-arg]

    checks = list(check_registry(settings, {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "x"}))

    assert [(one.name, one.state) for one in checks] == [("clock", "ok"), ("registry", "ok"), ("artifact", "warning")]
    assert "sales/3" in checks[1].detail
    assert sent["auth"] == ("me", "x")


@pytest.mark.parametrize(
    ("answer", "named", "state"),
    [
        (httpx.ConnectError("refused"), False, "ok"),
        (httpx.ConnectError("refused"), True, "error"),
        (httpx.Response(200, json={"status": "ready", "database": "ok", "registry": "ok"}), True, "ok"),
        (httpx.Response(200, json={"status": "ready", "database": "DATABASE_UNREACHABLE"}), True, "error"),
        (httpx.Response(503, json={"status": 503, "detail": "loading", "hint": "Try again."}), True, "error"),
        (httpx.Response(200, text="hello"), True, "error"),
    ],
)
def test_the_service(monkeypatch: pytest.MonkeyPatch, answer: Any, named: bool, state: str) -> None:  # noqa: ANN401, FBT001
    """Where none runs, that is wrong only if its address is set."""
    monkeypatch.setattr(httpx, "get", answering(answer))

    [check] = check_service({"ALMANAC_SERVICE_URL": "http://service:8000"} if named else {})

    assert (check.state, bool(check.remedy)) == (state, state == "error")


def test_packages_that_are_missing_or_too_old() -> None:
    """Those of extras may be missing, but not be too old."""
    needed = [
        "numpy>=2.3",
        "gone>=1",
        'tensorflow>=2.21; extra == "train"',
        'ray>=2; extra == "ray"',
        'setuptools>=80; extra == "dev"',
        'x; python_version < "3"',
    ]
    installed = {"numpy": "2.2.0", "tensorflow": "2.20", "setuptools": "65.5"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    [fault] = versions.check_packages(needed, version)

    assert fault.state == "error"
    assert "numpy 2.2.0 is installed, numpy>=2.3 is needed" in fault.detail
    assert ("gone is missing" in fault.detail, "tensorflow 2.20" in fault.detail) == (True, True)
    assert not any(word in fault.detail for word in ("ray", "x is", "setuptools"))
    assert "pip install" in fault.remedy


def test_a_part_that_breaks_does_not_hide_the_others() -> None:
    """Its error is a line of the report."""

    def breaks() -> Iterator[Check]:
        yield Check("disk", "ok", "fine")
        raise ZeroDivisionError("by zero")

    first, second = run_part("disk", breaks)

    assert (first.state, second.state, "ZeroDivisionError: by zero" in second.detail) == ("ok", "error", True)


def registry(home: Path, folder: Path) -> None:
    """Write an MLflow database whose model `temperatures` has the champion 1 in a folder."""
    with closing(sqlite3.connect(home / "mlflow.db")) as store, store:
        store.execute("CREATE TABLE registered_model_aliases (name TEXT, alias TEXT, version INTEGER)")
        store.execute("CREATE TABLE model_versions (name TEXT, version INTEGER, storage_location TEXT)")
        store.execute("INSERT INTO registered_model_aliases VALUES ('temperatures', 'champion', 1)")
        store.execute("INSERT INTO model_versions VALUES ('temperatures', 1, ?)", (folder.as_uri(),))


def answering(answer: Any, sent: dict[str, Any] | None = None) -> Callable[..., httpx.Response]:  # noqa: ANN401
    """Return what takes the place of httpx.get: it returns a response, or raises an error."""

    def get(_url: str, **options: Any) -> httpx.Response:  # noqa: ANN401
        (sent if sent is not None else {}).update(options)
        if isinstance(answer, Exception):
            raise answer
        found: httpx.Response = answer
        return found

    return get
