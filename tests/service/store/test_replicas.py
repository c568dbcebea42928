"""Two servers on one database share the scoring."""

from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select

from service.store.database import Database
from service.store.scoring.counting import count_due
from service.store.tables import scores
from tests.service.databases import emptied
from tests.service.forecast_log import actuals_of, last_week, log, make_forecast, make_history
from tests.service.home import Artifacts, ServiceHome, eventually
from tests.service.server_process import ServerProcess

SERIES, OF_EACH = 40, 15


def scored_by(server: ServerProcess) -> float:
    """Return how many forecasts a replica has scored."""
    families = text_string_to_metric_families(server.client.get("/metrics").text)
    return next(
        one.value for family in families for one in family.samples if one.name == "almanac_forecasts_scored_total"
    )


def post_actuals(server: ServerProcess, numbers: range) -> None:
    """Post the actual values of some series."""
    rows = [
        {"id": f"s{number}", "timestamp": str(stamp.astype("M8[D]")), "value": value}
        for number in numbers
        for stamp, value in actuals_of(make_forecast(make_history(number)), 100 + number).items()
    ]
    assert server.client.post("/observations", json={"observations": rows, "frequency": "M"}).status_code == 200


@pytest.mark.system
def test_two_replicas_score_each_forecast_once(tmp_path: Path, artifacts: Artifacts, postgresql: str) -> None:
    """Each receives half of the observations; their counters add up to all forecasts, and none is due."""
    url = emptied(postgresql)
    homes = [ServiceHome(tmp_path / name, artifacts) for name in ("one", "two")]
    for home in homes:
        home.publish("temperatures", "1")
    with ExitStack() as stack:
        servers = [stack.enter_context(ServerProcess(one.path, ALMANAC_DATABASE_URL=url)).ready() for one in homes]
        database = stack.enter_context(closing(Database(url)))
        for number in range(SERIES * OF_EACH):
            forecast = make_forecast(make_history(number % SERIES), seed=number)
            log(database, f"f{number}", forecast, series_id=f"s{number % SERIES}", made_at=last_week(), due=False)

        post_actuals(servers[0], range(SERIES // 2))
        post_actuals(servers[1], range(SERIES // 2, SERIES))

        eventually(lambda: sum(scored_by(one) for one in servers) >= SERIES * OF_EACH, "forecasts stay unscored")
        assert sum(scored_by(one) for one in servers) == SERIES * OF_EACH
        assert count_due(database) == 0
        with database.reading() as connection:
            assert connection.scalar(select(func.count()).select_from(scores)) == SERIES * OF_EACH * 12
