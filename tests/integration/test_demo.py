"""The demo after its training: a real service and MLflow's real UI start, forecast and end."""

import shutil
import socket
from pathlib import Path

import pytest

from tests.system.registration import register, registry_at
from training.demo import demo
from training.processes import LOOPBACK, is_up


@pytest.mark.system
def test_the_demo_forecasts_and_ends_its_programs(
    tmp_path: Path, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """24 months are forecast, a port in use is skipped, and the addresses are shown."""
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")

    def registered_already(_environment: object) -> None:
        with registry_at(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path) as registry:
            registry.models.promote("temperatures", register(registry, tmp_path))

    monkeypatch.setattr(demo, "train", registered_already)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 18700))
        holder.listen()
        demo.train_and_serve(tmp_path, port=18700, ui_port=18750, once=True)

    shown = capsys.readouterr().out
    assert "temperatures version 1" in shown
    assert "1941-12" in shown
    assert f"http://{LOOPBACK}:18701/docs" in shown
    assert f"http://{LOOPBACK}:18750" in shown
    assert not is_up(f"http://{LOOPBACK}:18701/health/live")
    assert not is_up(f"http://{LOOPBACK}:18750/health")
