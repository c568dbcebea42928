"""A candidate outlives its process, without a pickle."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from models.errors import ArtifactIncomplete
from tests.training.fakes import combine_graphs, make_fit, make_request
from training.fit.candidate import Candidate
from training.fit.candidate_files import BEFORE, FACTS, load_candidate, save_candidate
from training.fit.ensemble import make_ensemble


def make_candidate(directory: Path, architecture: str = "lstm") -> Candidate:
    """Return a candidate of a fake training."""
    return make_fit()(make_request(directory, architecture=architecture))


def test_a_candidate_comes_back_as_it_was(tmp_path: Path) -> None:
    """Epochs, figures that are not numbers, forecasts to the last bit, and the weights that a warm start begins with."""
    plain = make_candidate(tmp_path / "made")
    last = replace(plain.history[-1], validation_mase=math.nan)
    before = [np.arange(6.0).reshape(2, 3), np.array(2.5, dtype=np.float32)]
    one = replace(plain, history=(*plain.history, last), before=before, pace={"seconds": 1.0})

    again = load_candidate(save_candidate(one, tmp_path / "rest"))

    assert again.history[:2] == tuple(plain.history)
    assert math.isnan(again.history[2].validation_mase)
    assert (again.validation, again.warnings, again.pace) == (one.validation, one.warnings, one.pace)
    assert again.forecaster.spec == one.forecaster.spec
    assert one.forecasts is not None
    assert again.forecasts is not None
    assert again.before is not None
    assert_array_equal(again.forecasts.quantiles, one.forecasts.quantiles)
    for kept, found in zip(before, again.before, strict=True):
        assert_array_equal(kept, found)
        assert kept.dtype == found.dtype


def test_an_average_comes_back_with_its_members(tmp_path: Path) -> None:
    """Their names may have slashes; the mixture weighs them as before."""
    members = {name: make_candidate(tmp_path / name.replace("/", "-")) for name in ("lstm/0", "lstm/1")}
    whole = make_ensemble(members, tmp_path / "whole", combine_graphs)

    again = load_candidate(save_candidate(whole, tmp_path / "rest"))

    assert again.ensemble_weights == whole.ensemble_weights
    assert list(again.members) == ["lstm/0", "lstm/1"]


def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    """What was cut off says so rather than becoming half a candidate."""
    rest = save_candidate(make_candidate(tmp_path / "made"), tmp_path / "rest")
    (rest / FACTS).write_text((rest / FACTS).read_text()[:50])

    with pytest.raises(ArtifactIncomplete, match="incomplete"):
        load_candidate(rest)


def test_nothing_in_it_is_a_pickle(tmp_path: Path) -> None:
    """Weights of objects would be one, and are refused when they are read."""
    rest = save_candidate(make_candidate(tmp_path / "made"), tmp_path / "rest")
    np.savez(rest / BEFORE, weight_0=np.array([{}], dtype=object))

    with pytest.raises(ArtifactIncomplete):
        load_candidate(rest)
