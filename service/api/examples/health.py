"""Examples of the service's health for /docs: why no forecast can be answered yet."""

from service import errors
from service.api.examples import Responses
from service.api.examples.described import problems
from service.serving.unavailable import STARTER_HINT

LOADING = errors.ModelLoading(
    "The model temperatures/3 is being loaded.", pointer="/model", hint="Try again in a few seconds."
)
NOTHING = errors.NoModel("No model is registered yet.", hint=f"Run `almanac train` or `almanac demo`. {STARTER_HINT}")

READY_RESPONSES: Responses = {503: problems("Forecasts cannot be answered yet.", NOTHING, LOADING)}
