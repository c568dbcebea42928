"""Champion examples: requests and responses of a promotion and a rollback for /docs; a test validates each of them."""

from typing import Any

from models.errors import PreviousMissing, PromotionRefused, RegistryError, RegistryUnreachable
from service.api.examples import Responses
from service.api.examples.described import problems, request_body, success
from service.api.examples.forecast import BODY_RESPONSES
from service.errors import ChampionChanged, FieldInvalid, FieldMissing, ModelNotFound

PROMOTIONS: dict[str, Any] = {
    "version": {"summary": "A version", "value": {"version": "7", "reason": "Calmer in July."}},
    "live": {
        "summary": "Only if live scores allow it",
        "value": {"version": "7", "reason": "Calmer in July.", "live_scores": 200},
    },
}
ROLLBACKS: dict[str, Any] = {
    "any": {"summary": "Whichever version is the champion", "value": {"reason": "Too high since Monday."}},
    "once": {"summary": "Safe to repeat", "value": {"version": "7", "reason": "Too high since Monday."}},
}
LIVE = [
    {"version": "7", "scores": 420, "mase": 0.61, "skill": 0.38},
    {"version": "6", "scores": 3600, "mase": 0.66, "skill": 0.33},
]
PROMOTED = {"name": "temperatures", "champion": "7", "previous": "6", "changed": True, "live": LIVE}
BY_LIVE = {
    **PROMOTED,
    "evidence": {
        "reason": "Live error of version 7 is 0.61 MASE, that of version 6 0.66: not significantly larger (95% interval of the "
        "difference from -0.08), on 420 scored forecasts of both on 30 series and 14 days.",
        "figures": {
            "scores": 420,
            "series": 30,
            "days": 14,
            "needed": 200,
            "mase_challenger": 0.61,
            "mase_champion": 0.66,
        },
    },
}
ROLLED_BACK = {"name": "temperatures", "champion": "6", "previous": "7", "changed": True, "live": LIVE[::-1]}

NO_VERSION = ModelNotFound(
    "Model Version (name=temperatures, version=9) not found.", hint="GET /models lists the models and their versions."
)
NO_REASON = FieldMissing(
    "`reason` is missing.", pointer="/reason", hint='Send {"version": "7", "reason": "Calmer in July."}.'
)
BAD_VERSION = FieldInvalid("`version` is 'best'.", pointer="/version", hint='Send a number as text, such as "7".')
NO_PREVIOUS = PreviousMissing(
    "temperatures has no previous champion.", hint="Promote a version: almanac promote temperatures VERSION."
)
TOO_FEW = PromotionRefused(
    "Too few live scores: 40 scored forecasts of both on 10 series and 4 days; 200 are needed, of the same series, days and steps.",
    hint="GET /accuracy?by=version compares the two; without `live_scores` it is promoted all the same.",
)
CHANGED = ChampionChanged("The champion of temperatures is version 8, not 7.", hint="GET /models shows the champions.")
REFUSED = RegistryError("The registry refuses: Permission denied.", hint="Check what MLflow lets this service do.")
DOWN = RegistryUnreachable(
    "The registry cannot be reached: connection refused.", hint="Check MLFLOW_TRACKING_URI and that server."
)

ERRORS: Responses = {
    **BODY_RESPONSES,
    404: problems("There is no such model or version.", NO_VERSION),
    422: problems("The request is wrong.", NO_REASON, BAD_VERSION),
    502: problems("The registry refuses.", REFUSED),
    503: problems("The registry does not answer; try again after Retry-After.", DOWN),
}
PROMOTE_BODY = request_body("ChampionRequest", PROMOTIONS)
ROLLBACK_BODY = request_body("RollbackRequest", ROLLBACKS)
PROMOTE_RESPONSES: Responses = {
    200: success("The champion.", promoted=PROMOTED, by_live_scores=BY_LIVE),
    409: problems("Live scores do not allow it.", TOO_FEW),
    **ERRORS,
}
ROLLBACK_RESPONSES: Responses = {
    200: success("The champion.", rolled_back=ROLLED_BACK),
    409: problems("There is no previous champion, or another champion than `version`.", NO_PREVIOUS, CHANGED),
    **ERRORS,
}
