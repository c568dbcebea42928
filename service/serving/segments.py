"""Segments: which model of a family, such as one for each region of a chain, forecasts each series of a request.

    almanac.family = shops, almanac.segment = North    tags of the registered model shops-North

A request that names the family `shops` sends each series to the model of its segment. Whatever is registered, promoted or
rolled back, the index has it: there is no other list of segments to keep.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from models.errors import AlmanacError, ModelUnknown
from models.ids import plain_id
from service.errors import SegmentUnknown
from service.selector import Selector
from service.serving import unavailable
from service.serving.registry_index import RegistryIndex

SHOWN = 3
"""Segments that an error names."""

SEPARATOR = "/"
"""Joins the cells of several id columns in the id of a series."""


@dataclass(frozen=True, slots=True)
class Family:
    """The models that one training has made, by segment.

    Attributes:
        name: The name that was trained.
        models: Name of the model of each segment.
    """

    name: str
    models: Mapping[str, str]

    def model_of(self, series_id: str, segment: str | None) -> str:
        """Return the name of a series' model: that of its segment, else of the part of its id that is a segment.

        Raises:
            SegmentUnknown: If no model fits, or several do.
        """
        if segment is not None:
            name = self.models.get(plain_id(segment))
            if name is None:
                raise self._unknown(f"{segment!r} is not a segment of {self.name}.", "/segment")
            return name
        found = {self.models[part] for part in series_id.split(SEPARATOR) if part in self.models}
        if len(found) != 1:
            many = "several segments are" if found else "no segment is"
            raise self._unknown(
                f"The series {series_id!r} names no segment of {self.name}: {many} a part of its id.", ""
            )
        return found.pop()

    def _unknown(self, detail: str, pointer: str) -> SegmentUnknown:
        known = sorted(self.models)
        some = ", ".join(known[:SHOWN]) + (f" or one of {len(known) - SHOWN} more" if len(known) > SHOWN else "")
        return SegmentUnknown(
            detail,
            pointer=pointer,
            hint=f"Send its `segment`: {some}; or make it a part of the id, such as {known[0]}/17.",
        )


class SegmentRouter:
    """Finds the family of a request in the newest index.

    Args:
        index: Returns the index.
        default: ALMANAC_MODEL, or None.
    """

    def __init__(self, index: Callable[[], RegistryIndex], default: str | None = None) -> None:
        """Read nothing yet."""
        self._index, self._default = index, default
        self._read: RegistryIndex | None = None
        self._found: tuple[dict[str, Family], bool] = ({}, False)

    def family(self, model: str | None, segments: Sequence[str]) -> Family | None:
        """Return the family that a request means, or None if it means a single model.

        That is the one it names; without a name, the only one, if a series has a segment or there is no other model.

        Args:
            model: The request's `model`, or None.
            segments: Segments of its series, as far as they have one.

        Raises:
            ModelLoading: If series have segments and the registry has not answered.
            ModelUnknown: If series have segments and it is not known of which family.
        """
        families, others = self._families()
        if model is not None:
            is_model = Selector.parse(model).name in self._index().models
            return None if is_model else families.get(model)
        if not segments and (others or self._default is not None):
            return None
        if len(families) == 1:
            return next(iter(families.values()))
        if segments:
            raise self._no_family(sorted(families))
        return None

    def _families(self) -> tuple[dict[str, Family], bool]:
        """Return the families by name, and whether another model has a champion; an index is read once."""
        index = self._index()
        if index is not self._read:
            self._found, self._read = _families_in(index), index
        return self._found

    def _no_family(self, known: Sequence[str]) -> AlmanacError:
        index = self._index()
        if not index.checked:
            return unavailable.pending("Try again in a few seconds.")
        if not known and not index.is_current:
            return unavailable.unreachable(index, "Check MLFLOW_TRACKING_URI and that server.")
        if known:
            return ModelUnknown(
                f"The series have segments, and there are models by segment of {', '.join(known[:SHOWN])}.",
                pointer="/model",
                hint="Name one of them in `model`.",
            )
        return ModelUnknown(
            "The series have segments, and no registered model is one of a segment.",
            pointer="/model",
            hint="Leave `segment` out, or train with `almanac train --segment-column`.",
        )


def _families_in(index: RegistryIndex) -> tuple[dict[str, Family], bool]:
    found, others = dict[str, dict[str, str]](), False
    for name, model in index.models.items():
        if not model.has_champion():
            continue
        if model.family and model.segment:
            found.setdefault(model.family, {})[plain_id(model.segment)] = name
        else:
            others = True
    return {name: Family(name, models) for name, models in found.items()}, others
