from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from training.demo import demo
from training.demo import live as live_module
from training.demo.events import Recovery
from training.demo.live import LiveDemo
from training.demo.replay import ReplayPlan
from training.processes import ChildFailed
from training.service_client.client import Address

RESPONSE: dict[str, Any] = {
    "model": {"name": "temperatures", "version": "3"},
    "forecasts": [{"timestamps": ["1940-01"], "median": [4.0], "intervals": {"80": {"lower": [3.0], "upper": [5.0]}}}],
    "errors": [],
}


def test_ten_real_years_of_nottingham_are_forecast(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """120 months up to December 1939, with the key of the environment; the table shows the response."""
    monkeypatch.setenv("ALMANAC_API_KEY", "secret")
    sent: list[Any] = []

    def post(*request: object) -> dict[str, Any]:
        sent.append(request)
        return RESPONSE

    monkeypatch.setattr(demo, "post_json", post)

    demo.show_forecast("http://service")

    [(address, path, body)] = sent
    series = body["series"][0]
    assert (address, path, body["horizon"]) == (Address("http://service", "secret"), "/forecast", 24)
    assert (series["start"], len(series["values"]), series["values"][-1]) == ("1930-01", 120, 3.22)
    assert "3.0 … 5.0" in capsys.readouterr().out


def test_a_failed_training_ends_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is served."""
    config = tmp_path / "no-data.toml"
    config.write_text('name = "x"\ndata = "no-such.csv"\nhorizon = 3\n')
    monkeypatch.setattr(demo, "CONFIG", config)

    with pytest.raises(ChildFailed):
        demo.train({})


def test_ctrl_c_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 0."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "train_and_serve", interrupted)

    assert CliRunner().invoke(demo.demo, ["--home", str(tmp_path)]).exit_code == 0


@pytest.mark.parametrize(("why", "code"), [("", 0), ("No challenger was promoted.", 1)])
def test_the_exit_code_of_the_live_demo_says_whether_it_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str, code: int
) -> None:
    """Seed, port and home are passed on."""
    calls: list[tuple[LiveDemo, ReplayPlan]] = []

    def run_live(live: LiveDemo, plan: ReplayPlan) -> Recovery:
        calls.append((live, plan))
        return Recovery({}, why)

    monkeypatch.setattr(live_module, "run_live", run_live)
    arguments = ["--live", "--json", "--seed", "3", "--port", "8123", "--home", str(tmp_path)]

    result: Any = CliRunner().invoke(demo.demo, arguments, standalone_mode=False)

    assert result.return_value == code
    live, plan = calls[0]
    assert (live.port, live.as_json, plan.seed) == (8123, True, 3)
    assert live.home.parent == tmp_path / "live"


def test_json_needs_the_live_demo() -> None:
    """The other one prints no events."""
    assert CliRunner().invoke(demo.demo, ["--json"]).exit_code == 2
