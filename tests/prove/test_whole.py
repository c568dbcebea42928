"""Composition: every container of docker-compose.yml is started, used and killed once (deploy/check.py)."""

from pathlib import Path

import pytest

from deploy.check import started
from deploy.resilience import ResilienceCheck
from tests.prove.figures import record

pytestmark = pytest.mark.prove


@pytest.mark.timeout(3600)
def test_the_composition_keeps_its_promises(tmp_path: Path) -> None:
    """A training, a retraining and a kill of each container lose nothing that was acknowledged."""
    with started(tmp_path) as containers:
        rows = ResilienceCheck(containers).run()

    assert [row for row in rows if not row[2]] == []
    record(
        "Composition",
        "Every container of docker-compose.yml but Grafana, as a local process with its own command, environment, user, volumes and "
        "read-only root. A client forecasts and another one posts observations without pause, while a retraining runs and each "
        "container is killed and restarted once.",
        {what: came for what, came, _ in rows},
    )
