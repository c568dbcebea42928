"""Unavailable: the errors that explain why no loaded model answers a request."""

from collections.abc import Iterable

from models import starters
from models.errors import AlmanacError, ModelUnknown
from service.errors import DefaultUnknown, ModelLoading, ModelRefused, ModelRequired, NoModel
from service.selector import Selector
from service.serving.registry_index import RegisteredModel, RegistryIndex

STARTER_HINT = f'"model": "{starters.NAME}" is always available.'
LISTED_VERSIONS = 10
MAX_NAME_LENGTH = 100


def model_loading(what: str) -> ModelLoading:
    """Return the error for a version that is being fetched or loaded."""
    return ModelLoading(f"The {what} is being loaded.", pointer="/model", hint="Try again in a few seconds.")


def registry_pending(hint: str) -> ModelLoading:
    """Return the error for a registry that has not been read since the service started."""
    return ModelLoading("The registry has not answered yet.", hint=hint)


def registry_unreachable(index: RegistryIndex, hint: str) -> ModelLoading:
    """Return the error for a registry that does not answer."""
    return ModelLoading(f"The registry cannot be reached: {index.detail}", hint=hint)


def nothing_registered(index: RegistryIndex) -> AlmanacError:
    """Return the error for a request that names a model while the index contains none."""
    if index.state == "unreachable":
        return registry_unreachable(index, f"Check MLFLOW_TRACKING_URI and that server. {STARTER_HINT}")
    return NoModel("No model is registered yet.", hint=f"Run `almanac train` or `almanac demo`. {STARTER_HINT}")


def no_champion(index: RegistryIndex, refusals: Iterable[ModelRefused]) -> AlmanacError | None:
    """Return why no champion is in memory, or None if no Almanac model is registered.

    Args:
        index: The registry's models.
        refusals: The errors of the artifacts that could not be loaded.
    """
    if not index.checked:
        return registry_pending(f"Try again in a few seconds. {STARTER_HINT}")
    if any(model.has_champion() for model in index.models.values()):
        return next(iter(refusals), None) or model_loading("champion")
    names = [name for name, model in index.models.items() if not any(one.error for one in model.versions.values())]
    if names:
        return NoModel(
            f"No registered model has a champion: {', '.join(names[:LISTED_VERSIONS])}.",
            hint=f"`almanac promote NAME VERSION` sets one. {STARTER_HINT}",
        )
    return None


def several_models(names: Iterable[str]) -> ModelRequired:
    """Return the error for a request without `model` while several models are registered."""
    return ModelRequired(
        f"Several models are registered: {', '.join(names)}.",
        pointer="/model",
        hint=f'Send one of them as "model", or "{starters.NAME}".',
    )


def unknown_default(default: Selector, error: ModelUnknown) -> DefaultUnknown:
    """Return the error for an ALMANAC_MODEL that is not registered: the setting is wrong, not the request."""
    return DefaultUnknown(
        f"ALMANAC_MODEL names {default.name!r}: {error.detail}",
        hint=f"{error.hint} Set ALMANAC_MODEL to one of them, or unset it; or send a `model` with the request.",
    )


def unknown_name(name: str, known: Iterable[str]) -> ModelUnknown:
    """Return the error for a name that is not registered."""
    return ModelUnknown(
        f"There is no model {_quoted(name)}.",
        pointer="/model",
        hint=f"Registered: {', '.join(known) or 'none with a champion'}. {STARTER_HINT}",
    )


def unknown_alias(name: str, alias: str, model: RegisteredModel) -> ModelUnknown:
    """Return the error for an alias that the model does not have."""
    return ModelUnknown(
        f"The model {name!r} has no alias {_quoted(alias)}.",
        pointer="/model",
        hint=f"Its aliases: {', '.join(model.aliases) or 'none; `almanac promote NAME VERSION` sets champion'}.",
    )


def unknown_version(name: str, number: str | None, model: RegisteredModel) -> ModelUnknown:
    """Return the error for a version that the model does not have."""
    newest = ", ".join(list(model.versions)[-LISTED_VERSIONS:])
    return ModelUnknown(
        f"The model {name!r} has no version {_quoted(number or '')}.",
        pointer="/model",
        hint=f"Its newest versions: {newest}.",
    )


def _quoted(text: str) -> str:
    """Return a name from a request quoted, cut if it is long."""
    return repr(text if len(text) <= MAX_NAME_LENGTH else f"{text[:MAX_NAME_LENGTH]}…")
