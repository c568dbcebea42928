"""Versions: whether Python and the installed packages are those that Almanac's package metadata asks for."""

import platform
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata

from almanac.doctor.check import Check
from service.install import PACKAGE, install_command

NAME = "versions"
BUILD_TOOLS = frozenset({"setuptools", "pip", "wheel"})


def check_versions() -> Iterator[Check]:
    """Yield whether this Python and the installed packages satisfy the metadata of the distribution."""
    from packaging.specifiers import SpecifierSet

    try:
        about = metadata.metadata(PACKAGE)
    except metadata.PackageNotFoundError:
        yield Check(NAME, "warning", f"{PACKAGE} is not installed as a package.", f"Run {install_command()}")
        return
    wanted, python = about["Requires-Python"] or "", platform.python_version()
    if not SpecifierSet(wanted).contains(python, prereleases=True):
        yield Check(NAME, "error", f"This is Python {python}; {wanted} is needed.", "Install another Python.")
    yield from check_packages(metadata.requires(PACKAGE) or (), metadata.version)


def check_packages(requirements: Sequence[str], version: Callable[[str], str]) -> Iterator[Check]:
    """Yield the packages that are missing or of another version; those of extras may be missing.

    Args:
        requirements: Lines as in a package's metadata (PEP 508).
        version: Returns the version of an installed package; raises PackageNotFoundError.
    """
    from packaging.requirements import Requirement

    wrong: list[str] = []
    for one in map(Requirement, requirements):
        is_extra = one.marker is not None and "extra" in str(one.marker)
        if one.marker is not None and not is_extra and not one.marker.evaluate():
            continue
        try:
            found = version(one.name)
        except metadata.PackageNotFoundError:
            wrong += [] if is_extra else [f"{one.name} is missing"]
            continue
        is_build_tool = is_extra and one.name in BUILD_TOOLS  # in every environment, also where the extra is not
        if not is_build_tool and not one.specifier.contains(found, prereleases=True):
            wrong.append(f"{one.name} {found} is installed, {one.name}{one.specifier} is needed")
    if wrong:
        yield Check(NAME, "error", f"{'; '.join(dict.fromkeys(wrong))}.", f"Run {install_command()}")
    else:
        yield Check(NAME, "ok", f"Python {platform.python_version()} and all packages are as required.")
