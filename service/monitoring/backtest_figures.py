"""Backtest cache: the backtest errors of registered versions, whether the model is in memory or not."""

from models.errors import ArtifactIncomplete, ArtifactMismatch
from models.spec import ModelSpec
from models.starters import NAME
from service.monitoring.score_figures import BacktestFigures
from service.serving.artifact_cache import SPEC, ArtifactCache
from service.serving.catalog import Catalog

MAX_VERSIONS = 1024


class BacktestCache:
    """Reads the backtest of a version from its specification, once."""

    def __init__(self, catalog: Catalog, cache: ArtifactCache) -> None:
        """Read nothing yet."""
        self._catalog = catalog
        self._cache = cache
        self._known: dict[str, BacktestFigures] = {}

    def find(self, name: str, version: str) -> BacktestFigures:
        """Return the backtest of a version; empty figures for the starter and for a version that is not cached."""
        model = self._catalog.index.models.get(name)
        entry = model.versions.get(version) if model and name != NAME else None
        if entry is None or entry.digest is None:
            return BacktestFigures()
        if entry.digest not in self._known:
            if len(self._known) >= MAX_VERSIONS:
                self._known.clear()
            self._known[entry.digest] = self._read(entry.digest)
        return self._known[entry.digest]

    def _read(self, digest: str) -> BacktestFigures:
        try:
            spec = ModelSpec.from_json((self._cache.path(digest) / SPEC).read_bytes())
        except (OSError, ArtifactIncomplete, ArtifactMismatch):
            return BacktestFigures()
        return BacktestFigures.from_spec(spec.backtest)
