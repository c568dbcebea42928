from dataclasses import replace

import pytest

from models.errors import ArtifactIncomplete, ArtifactMismatch
from models.spec import FORMAT, ModelSpec

SPEC = ModelSpec(
    name="temperatures",
    architecture="wavenet",
    shape="many_to_many",
    frequency="M",
    season_length=12,
    context_length=60,
    encoder_length=48,
    horizon=24,
    options={"units": 64, "dilations": [1, 2, 4]},
    memory=(0.75, 0.25),
    backtest={"mase": 0.7, "mase_by_step": [0.6, 0.8]},
    conformal={"levels": [0.1, 0.9], "offsets": [[-0.1, 0.1]]},
)


def test_a_spec_survives_its_journey_through_json() -> None:
    """What is read is what was written, tuples and nested tables alike."""
    assert ModelSpec.from_json(SPEC.to_json()) == SPEC
    assert ModelSpec.from_json(SPEC.to_json().encode()) == SPEC


def test_a_spec_says_which_format_it_has() -> None:
    """A later reader can tell how to read it."""
    assert SPEC.to_dict()["format"] == FORMAT


def test_fields_of_tomorrow_are_passed_over() -> None:
    """A field that this version does not know does not keep it from reading the rest."""
    assert ModelSpec.from_dict({**SPEC.to_dict(), "colour": "blue"}) == SPEC


def test_a_field_that_may_be_missing_takes_its_default() -> None:
    """Only what a forecast needs is required."""
    data = {key: value for key, value in SPEC.to_dict().items() if key != "memory"}

    assert ModelSpec.from_dict(data) == replace(SPEC, memory=())


@pytest.mark.parametrize("field", ["architecture", "horizon", "context_length"])
def test_a_missing_promise_is_refused(field: str) -> None:
    """The error names what is not there."""
    data = {key: value for key, value in SPEC.to_dict().items() if key != field}

    with pytest.raises(ArtifactIncomplete, match=field):
        ModelSpec.from_dict(data)


@pytest.mark.parametrize("version", [None, FORMAT + 1, "1"])
def test_another_format_is_refused(version: object) -> None:
    """A spec that would be misread is not read, and the error says what to do."""
    with pytest.raises(ArtifactMismatch, match="format") as caught:
        ModelSpec.from_dict({**SPEC.to_dict(), "format": version})

    assert "train it again" in caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"spec"', b"\xff\xfe"])
def test_text_that_is_no_spec_is_refused(text: str | bytes) -> None:
    """Broken JSON, JSON that is no object and bytes that are no text are all the same: incomplete."""
    with pytest.raises(ArtifactIncomplete, match=r"spec\.json"):
        ModelSpec.from_json(text)


def test_a_figure_that_is_not_finite_is_not_written() -> None:
    """JSON has no NaN: a spec with one cannot leave the process."""
    with pytest.raises(ValueError, match="JSON"):
        replace(SPEC, validation={"mase": float("nan")}).to_json()
