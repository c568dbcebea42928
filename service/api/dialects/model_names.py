"""Model names: which model a path or field of a dialect means."""

from starlette.requests import Request

from models import starters
from models.names import STARTER
from service.api.dialects.answering import first_model
from service.api.named_models import named_in_url
from service.api.state import service_of
from service.selector import SelectedModel

DEFAULT = "default"
"""The name of the model that answers a request without `model`."""


def selector_of(name: str) -> str | None:
    """Return a name as `model` of POST /forecast."""
    return None if name == DEFAULT else name


def full_name(request: Request, name: str, version: str) -> str:
    """Return the name of a version as `model` of POST /forecast has it; the starter has only one."""
    named = service_of(request).catalog.default or STARTER if name == DEFAULT and version else name
    if not version or (named == STARTER and version == starters.version()):
        return named
    return f"{named}/{version}"


async def find_model(request: Request, name: str, version: str = "") -> SelectedModel:
    """Return the model that a path names, of a family one of its models; raises ModelNotFound, and as `Catalog.select`."""
    catalog = service_of(request).catalog
    name = full_name(request, name, version)
    family = service_of(request).forecasting.find_family(selector_of(name), ())
    if family is not None:
        name = first_model(family)
    with named_in_url(name, catalog):
        return await catalog.select(selector_of(name), tuple)


def list_models(request: Request) -> list[str]:
    """Return the names of all models that answer."""
    return sorted({*service_of(request).catalog.names(), STARTER})
