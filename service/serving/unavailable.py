"""Unavailable: the errors that explain why no loaded model answers a request."""

from collections.abc import Callable, Iterable

from models import starters
from models.errors import AlmanacError, ModelUnknown
from models.names import CHAMPION
from service.errors import DefaultUnknown, ModelLoading, ModelRefused, ModelRequired, NoModel
from service.selector import Selector
from service.serving.registry_index import RegisteredModel, RegistryIndex

STARTER_HINT = f'"model": "{starters.NAME}" is always available.'
WRITABLE_HINT = "Free space, or make ALMANAC_HOME writable."
LISTED_VERSIONS = 10
MAX_NAME_LENGTH = 100


def loading(what: str) -> ModelLoading:
    """Return the error for a version that is being fetched or loaded."""
    return ModelLoading(f"The {what} is being loaded.", pointer="/model", hint="Try again in a few seconds.")


def refused(name: str, number: str, reason: str) -> ModelRefused:
    """Return the error for a version whose artifact the registry process has refused."""
    return ModelRefused(f"{name}/{number} cannot be served: {reason}", pointer="/model")


def refused_champion(name: str, number: str, detail: str) -> ModelRefused:
    """Return the error for a request without `model` while the only champion cannot be served: the starter never replaces one."""
    return ModelRefused(
        detail,
        pointer="/model",
        hint=f"Train {name} again, or make another version its champion than {number}: `almanac promote {name} VERSION`. Until then "
        f"requests without `model` get this error; {STARTER_HINT} ALMANAC_MODEL=starter makes it the default.",
    )


def pending(hint: str) -> ModelLoading:
    """Return the error for a registry that has not been read since the service started."""
    return ModelLoading("The registry has not answered yet.", hint=hint)


def unreachable(index: RegistryIndex, hint: str) -> ModelLoading:
    """Return the error for a registry that does not answer, or whose content cannot be stored."""
    if index.state == "unwritable":
        return ModelLoading(
            f"Registered models cannot be served: {index.detail}", hint=f"{WRITABLE_HINT} {STARTER_HINT}"
        )
    return ModelLoading(f"The registry cannot be reached: {index.detail}", hint=hint)


def nothing_registered(index: RegistryIndex) -> AlmanacError:
    """Return the error for a request that names a model while the index contains none."""
    if not index.is_current:
        return unreachable(index, f"Check MLFLOW_TRACKING_URI and that server. {STARTER_HINT}")
    return NoModel("No model is registered yet.", hint=f"Run `almanac train` or `almanac demo`. {STARTER_HINT}")


def no_champion(index: RegistryIndex, load_error: Callable[[str | None], str]) -> AlmanacError | None:
    """Return why no champion is in memory, or None if no Almanac model is registered.

    `load_error` returns why an artifact could not be loaded, by its digest; "" if it did not fail.
    """
    if not index.checked:
        return pending(f"Try again in a few seconds. {STARTER_HINT}")
    candidates = {name: model for name, model in index.models.items() if model.has_champion()}
    failed = {name: detail for name, model in candidates.items() if (detail := load_error(model.champion_digest))}
    if len(failed) < len(candidates):
        return loading("champion")
    for name, detail in failed.items():
        return refused_champion(name, index.models[name].aliases[CHAMPION], detail)
    names = [name for name, model in index.models.items() if not model.is_foreign]
    if not names:
        return None
    for name in names:
        number = index.models[name].aliases.get(CHAMPION, "")
        if reason := index.models[name].refused.get(number):
            return refused_champion(name, number, refused(name, number, reason).detail)
    return NoModel(
        f"No registered model has a champion: {', '.join(names[:LISTED_VERSIONS])}.",
        hint=f"`almanac promote NAME VERSION` sets one. {STARTER_HINT}",
    )


def several_models(names: Iterable[str]) -> ModelRequired:
    """Return the error for a request without `model` while several models are registered."""
    hint = f'Send one of them as "model", or "{starters.NAME}".'
    return ModelRequired(f"Several models are registered: {', '.join(names)}.", pointer="/model", hint=hint)


def unknown(selector: Selector, model: RegisteredModel | None, names: Iterable[str]) -> ModelUnknown:
    """Return the error for a name, alias or version that is not registered; `names` are the registered ones."""
    if model is None:
        what = f"no model {_quoted(selector.name)}"
        hint = f"Registered: {', '.join(names) or 'none with a champion'}. {STARTER_HINT}"
    elif selector.alias is not None:
        what = f"no alias {_quoted(selector.alias)} of the model {selector.name!r}"
        hint = f"Its aliases: {', '.join(model.aliases) or 'none; `almanac promote NAME VERSION` sets champion'}."
    else:
        what = f"no version {_quoted(selector.version or '')} of the model {selector.name!r}"
        hint = f"Its newest versions: {', '.join(list(model.versions)[-LISTED_VERSIONS:])}."
    return ModelUnknown(f"There is {what}.", pointer="/model", hint=hint)


def unknown_default(default: Selector, error: ModelUnknown) -> DefaultUnknown:
    """Return the error for an ALMANAC_MODEL that is not registered: the setting is wrong, not the request."""
    return DefaultUnknown(
        f"ALMANAC_MODEL names {default.name!r}: {error.detail}",
        hint=f"{error.hint} Set ALMANAC_MODEL to one of them, or unset it; or send a `model` with the request.",
    )


def _quoted(text: str) -> str:
    """Return a name from a request quoted, cut if it is long."""
    return repr(text if len(text) <= MAX_NAME_LENGTH else f"{text[:MAX_NAME_LENGTH]}…")
