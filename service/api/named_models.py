"""Named models: a model that a path or a query names and that does not exist is 404, in a body 422."""

from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import ModelUnknown
from service.errors import ModelNotFound, NoModel
from service.json_input import describe_value
from service.serving.catalog import Catalog


@contextmanager
def named_in_url(model: str | None, catalog: Catalog) -> Iterator[None]:
    """Raise ModelNotFound in place of ModelUnknown, and of NoModel if a model is named and the registry has answered."""
    try:
        yield
    except ModelUnknown as error:
        raise ModelNotFound(error.detail, pointer=error.pointer, hint=error.hint) from error
    except NoModel as error:
        if model is None or not catalog.index.checked:
            raise
        raise ModelNotFound(f"There is no model {describe_value(model)}.", hint=error.hint) from error
