"""Registry errors: what MLflow, its stores and transports raise, as one line or as an error of the registry."""

from models.errors import ModelUnknown, RegistryError, RegistryUnreachable
from service.install import install_command

DETAIL_LENGTH = 300
UNKNOWN = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""MLflow's codes for a name or version that does not exist, or cannot exist."""
REFUSALS = {"PERMISSION_DENIED", "UNAUTHENTICATED"}

OUTSIDE = "outside the artifact directory"
"""MLflow's words where a file is a symbolic link to elsewhere, or behind one; of several failures only the text is left."""


def leads_outside(error: BaseException) -> bool:
    """Return whether a download failed because a file is a symbolic link that leads out of the artifact."""
    return OUTSIDE in str(error)


def describe(error: BaseException) -> str:
    """Return an exception as one short line, with the remedy if a package is missing."""
    line = " ".join(str(error).split())[:DETAIL_LENGTH] or type(error).__name__
    if isinstance(error, ImportError):
        return f"{line}. Install the train extra ({install_command()}), or set MLFLOW_TRACKING_URI to an MLflow server."
    return line


def registry_error(error: Exception) -> RegistryError:
    """Return the error of the registry for an exception; MLflow's are recognized by their code."""
    if isinstance(error, RegistryError):
        return error
    code = getattr(error, "error_code", "")
    if code in UNKNOWN:
        return ModelUnknown(f"{describe(error).rstrip('.')}.", hint="GET /models lists the models and their versions.")
    if code in REFUSALS:
        return RegistryError(f"The registry refuses: {describe(error)}", hint="Check what MLflow lets this service do.")
    return RegistryUnreachable(
        f"The registry cannot be reached: {describe(error)}", hint="Check MLFLOW_TRACKING_URI and that server."
    )
