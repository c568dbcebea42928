"""Private names: our packages under names of their own, because `models` is also the name of other people's packages.

A module that is loaded as `almanac.models.series` runs the same code as `models.series`; its imports of `models` mean
`almanac.models`, whatever `models` is in the process. This file imports nothing of ours: it is loaded before anything else.
"""

import builtins
import sys
from collections.abc import Collection, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any


class PrivateNames:
    """Finds `PACKAGE.NAME` in a folder for each name; absolute imports of NAME within the package mean `PACKAGE.NAME`.

    Args:
        package: The package in whose modules the names are private.
        folder: Contains the packages with these names.
        names: Such as `models`.

    Attributes:
        is_whole: Whether the other modules of the package import these names privately too.
    """

    def __init__(self, package: str, folder: str, names: Collection[str]) -> None:
        """Find nothing yet: `install` puts it in its place."""
        self.package = package
        self.folder = folder
        self.names = frozenset(names)
        self.is_whole = True
        self.builtins = {**vars(builtins), "__import__": self._import}

    def install(self) -> None:
        """Ask this finder before all others."""
        sys.meta_path.insert(0, self)

    def private(self, name: str) -> str:
        """Return the private name of a module."""
        return f"{self.package}.{name}"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module within the package, whose imports of the names are private."""
        if not fullname.startswith(f"{self.package}."):
            return None
        within = fullname.removeprefix(f"{self.package}.")
        if not self.is_whole and within.partition(".")[0] not in self.names:
            return None
        spec = PathFinder.find_spec(fullname, [self.folder] if within in self.names else path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path, self.builtins)
        return spec

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - the names of builtins.__import__
        locals: Mapping[str, object] | None = None,  # noqa: A002 - same
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level or top not in self.names:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        found = builtins.__import__(self.private(name), globals, locals, fromlist or (), 0)
        return found if fromlist else sys.modules[self.private(top)]


class _Loader(SourceFileLoader):
    """Runs a module with builtins of its own: Python takes `__import__` from there."""

    def __init__(self, fullname: str, path: str, own: Mapping[str, Any]) -> None:
        super().__init__(fullname, path)
        self._own = own

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = self._own
        super().exec_module(module)


class PinnedNames:
    """Finds packages in our folder, whatever is before it on `sys.path`: for processes in which all code is ours."""

    def __init__(self, folder: str, names: Collection[str]) -> None:
        """Find nothing yet: `install` puts it in its place."""
        self.folder = folder
        self.names = frozenset(names)

    def install(self) -> None:
        """Ask this finder before all others."""
        sys.meta_path.insert(0, self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the spec of one of the packages."""
        return PathFinder.find_spec(fullname, [self.folder], target) if fullname in self.names else None
