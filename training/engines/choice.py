"""Choice: an engine by its name."""

from models.errors import ConfigInvalid
from training.engines.engine import ENGINES, LOCAL, RAY, Engine


def open_engine(name: str, workers: int | None = None) -> Engine:
    """Return an engine by its name.

    Args:
        name: One of ENGINES.
        workers: Worker processes; None takes the cores of this machine, or of the cluster.

    Raises:
        ConfigInvalid: If Ray is not installed, or the name is unknown.
    """
    if name == LOCAL:
        from training.engines.local import LocalEngine

        return LocalEngine(workers)
    if name == RAY:
        from training.engines.ray_engine import RayEngine

        return RayEngine(workers)
    raise ConfigInvalid(f"Unknown engine {name!r}.", hint=f"Use {' or '.join(ENGINES)}.")
