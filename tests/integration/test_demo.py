"""The demo from the registered model on: a real service and MLflow's real UI, started, asked and ended."""

import socket
from pathlib import Path

import pytest

from tests.system.registration import register, registry_at
from training.demo import demo
from training.processes import LOOPBACK, is_up


def test_it_serves_forecasts_shows_the_addresses_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the training: a served forecast of 24 months, three addresses, a taken port stepped over, all ended."""

    def registered_already(_environment: object) -> None:
        with registry_at(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path) as registry:
            registry.models.promote("temperatures", register(registry, tmp_path))

    monkeypatch.setattr(demo, "train", registered_already)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 18700))
        holder.listen()
        demo.circle(tmp_path, port=18700, ui_port=18750, once=True)

    shown = capsys.readouterr().out
    assert "Port 18700 is taken; the service goes to 18701." in shown
    assert "Answered by temperatures version 1." in shown
    assert "1941-12" in shown
    assert f"http://{LOOPBACK}:18701/docs" in shown
    assert f"http://{LOOPBACK}:18750" in shown
    assert "These answered, and end now" in shown
    assert not is_up(f"http://{LOOPBACK}:18701/health/live")
    assert not is_up(f"http://{LOOPBACK}:18750/health")
