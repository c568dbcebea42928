"""Candidate files: a candidate as a folder, so that a comparison can go on in another process or on another machine.

    artifact/       network.onnx, network.keras, spec.json, golden.json
    candidate.json  figures, epochs, warnings, ensemble weights (`mixture`), names of the members
    forecasts.npz   forecasts of the validation origins
    before.npz      weights from before it learned from these, which a later warm start begins with
    members/0/ …    of an ensemble, each member likewise

JSON, arrays of numbers and an ONNX graph: reading them runs no code.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import artifact
from models.errors import ArtifactIncomplete
from models.json_values import nan_if_none, to_json_value
from training.fit.candidate import Candidate, EpochRecord
from training.fit.ensemble_weights import EnsembleWeights
from training.fit.validation import Validation

ARTIFACT, FACTS, FORECASTS, BEFORE, MEMBERS = ("artifact", "candidate.json", "forecasts.npz", "before.npz", "members")

_ARRAYS = ("rows", "cutoffs", "targets", "quantiles", "scales")


def save_candidate(candidate: Candidate, folder: Path) -> Path:
    """Write a candidate into a new folder and return the folder."""
    shutil.copytree(candidate.directory, folder / ARTIFACT)
    facts = {
        "history": [asdict(one) for one in candidate.history],
        "validation": dict(candidate.validation),
        "train_seconds": candidate.train_seconds,
        "warnings": list(candidate.warnings),
        "pace": dict(candidate.pace),
        "mixture": candidate.ensemble_weights.to_dict() if candidate.ensemble_weights else None,
        "members": list(candidate.members),
    }
    (folder / FACTS).write_text(json.dumps(to_json_value(facts), allow_nan=False), encoding="utf-8")
    if candidate.forecasts is not None:
        _write_forecasts(candidate.forecasts, folder / FORECASTS)
    if candidate.before is not None:
        weights: dict[str, Any] = {f"weight_{at}": one for at, one in enumerate(candidate.before)}
        np.savez(folder / BEFORE, **weights)
    for place, member in enumerate(candidate.members.values()):
        save_candidate(member, folder / MEMBERS / str(place))
    return folder


def load_candidate(folder: Path) -> Candidate:
    """Return the candidate of a folder that `save_candidate` wrote, its golden forecasts replayed.

    Raises:
        ArtifactIncomplete: If a file is missing or cannot be read.
        ArtifactMismatch: If the network does not repeat its golden forecasts.
    """
    forecaster = artifact.load(folder / ARTIFACT)
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        members = {name: load_candidate(folder / MEMBERS / str(place)) for place, name in enumerate(facts["members"])}
        return Candidate(
            directory=folder / ARTIFACT,
            forecaster=forecaster,
            history=tuple(_epoch(one) for one in facts["history"]),
            validation=_with_nan(facts["validation"]),
            train_seconds=facts["train_seconds"],
            warnings=tuple(facts["warnings"]),
            forecasts=_read_forecasts(folder / FORECASTS),
            members=members,
            ensemble_weights=EnsembleWeights.from_dict(facts["mixture"]) if facts["mixture"] else None,
            pace=facts["pace"],
            before=read_weights(folder / BEFORE),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactIncomplete(f"{folder}: the candidate is incomplete: {error!r}.", hint="Fit it again.") from error


def read_weights(path: Path) -> list[NDArray[Any]] | None:
    """Return the weights of a file in their order, or None where there is no such file."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as found:
        return [found[f"weight_{at}"] for at in range(len(found.files))]


def _write_forecasts(forecasts: Validation, path: Path) -> None:
    arrays: dict[str, Any] = {name: getattr(forecasts, name) for name in _ARRAYS}
    arrays["levels"] = np.array(forecasts.levels)
    if forecasts.times is not None:
        arrays["times"] = forecasts.times
    np.savez(path, **arrays)


def _read_forecasts(path: Path) -> Validation | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as found:
        arrays = {name: found[name] for name in _ARRAYS}
        times = found["times"] if "times" in found.files else None
        return Validation(**arrays, levels=tuple(found["levels"].tolist()), times=times)


def _epoch(facts: Mapping[str, Any]) -> EpochRecord:
    known = {name: nan_if_none(facts[name]) for name in ("loss", "validation_mase")}
    return EpochRecord(**{**facts, **known, "gradient_norms": _with_nan(facts["gradient_norms"])})


def _with_nan(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Return figures with NaN for None."""
    return {name: nan_if_none(one) for name, one in figures.items()}
