"""FakeMlflow: a client with fixed models, for the tests of the registry process."""

from types import SimpleNamespace
from typing import Any


class FakePage(list[Any]):
    """One page of a paged search."""

    token: str | None = None


class FakeMlflow:
    """A fake of MLflow's client with two searches, one item per page."""

    def __init__(self, versions: dict[str, list[str]], aliases: dict[str, dict[str, str]]) -> None:
        """Contain these; their artifacts are in no folder of this machine, unless `uri` is set to one."""
        self.uri = "mlflow-artifacts:/"
        self.models = [
            SimpleNamespace(name=name, aliases=aliases.get(name, {}), creation_timestamp=1, tags={})
            for name in versions
        ]
        self.versions = [
            SimpleNamespace(name=name, version=number, run_id=f"run-{number}")
            for name, numbers in versions.items()
            for number in numbers
        ]

    def search_registered_models(self, max_results: int, page_token: str | None) -> FakePage:
        """Return one page of names."""
        return self._page(self.models, max_results, page_token)

    def search_model_versions(self, max_results: int, page_token: str | None) -> FakePage:
        """Return one page of versions."""
        return self._page(self.versions, max_results, page_token)

    def get_model_version_download_uri(self, _name: str, _version: str) -> str:
        """Return where the artifact of a version is."""
        return self.uri

    @staticmethod
    def _page(items: list[Any], _max_results: int, token: str | None) -> FakePage:
        at = int(token or 0)
        page = FakePage(items[at : at + 1])
        page.token = str(at + 1) if at + 1 < len(items) else None
        return page
