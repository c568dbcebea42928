"""State: what one application holds, handed to its routes."""

from dataclasses import dataclass

from starlette.requests import Request

from service.catalog import Catalog
from service.drift import Inputs
from service.jobs import Jobs
from service.ledger import Ledger
from service.metrics import Metrics
from service.promises import Promises
from service.records import Records
from service.scorer import Scorer
from service.settings import Settings
from service.working import Workers


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that a route may need."""

    settings: Settings
    catalog: Catalog
    metrics: Metrics
    inputs: Inputs
    workers: Workers
    records: Records
    ledger: Ledger | None
    scorer: Scorer
    promises: Promises
    jobs: Jobs


def service_of(request: Request) -> Service:
    """Return the service that a request came to."""
    service: Service = request.app.state.service
    return service
