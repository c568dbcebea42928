from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ArtifactIncomplete, ArtifactMismatch
from models.spec import BLENDED_FORMAT, EnsembleMember, ModelOptions, ModelSpec
from models.starters import FOLDER

SPEC = ModelSpec(
    name="temperatures",
    architecture="wavenet",
    shape="many_to_many",
    frequency="M",
    season_length=12,
    context_length=60,
    encoder_length=48,
    horizon=24,
    options=ModelOptions(units=64, dilations=(1, 2, 4), seasons=(12,), steps=300, others={"last_steps": None}),
    memory=(0.75, 0.25),
    backtest={"mase": 0.7, "mase_by_step": [0.6, 0.8]},
    conformal={"levels": [0.1, 0.9], "offsets": [[-0.1, 0.1]]},
)


def test_a_spec_survives_its_journey_through_json() -> None:
    """What is read is what was written, tuples and nested tables alike."""
    assert ModelSpec.from_json(SPEC.to_json()) == SPEC
    assert ModelSpec.from_json(SPEC.to_json().encode()) == SPEC


@pytest.mark.parametrize("folder", sorted(FOLDER.glob("*/spec.json")), ids=lambda path: path.parent.name)
def test_a_shipped_spec_is_written_back_as_it_is(folder: Path) -> None:
    """Reading and writing keeps every key and value, and their order."""
    text = folder.read_text()

    assert ModelSpec.from_json(text).to_json() == text


NETWORK = {"units": 8, "layers": 2, "seasons": [12], "calendar": True, "steps": 300, "last_steps": None}
TUNED = {"units": 8, "layers": 2, "seasons": [], "calendar": False, "encoder": "gru", "tuned_share": 0.0, "steps": None}
MEMBER = {"name": "lstm/0", "weight": 0.5, "architecture": "lstm", "validation_mase": None, "options": NETWORK}


@pytest.mark.parametrize(
    "options",
    [
        {},
        NETWORK,
        TUNED,
        {"units": 8, "dilations": [1, 2], "seasons": [12], "synthetic_share": 0.0, "nonnegative": False},
        {"combination": "equal", "members": [MEMBER, {**MEMBER, "colour": "red"}], "nonnegative": True},
        {"units": 8, "colour": {"of": ["tomorrow"]}, "loss": None},
    ],
)
def test_options_are_written_back_as_they_are(options: dict[str, object]) -> None:
    """A key that is absent stays absent, null stays null, and one that this version does not know is kept."""
    data = {**SPEC.to_dict(), "options": options}

    again = ModelSpec.from_dict(data)

    assert again.to_dict()["options"] == options
    assert ModelSpec.from_json(again.to_json()) == again


def test_an_ensemble_has_typed_members() -> None:
    """Members and their options are values, not tables."""
    options = ModelOptions.from_dict({"combination": "equal", "members": [MEMBER]})

    assert options.members == (
        EnsembleMember(name="lstm/0", weight=0.5, architecture="lstm", options=ModelOptions.from_dict(NETWORK)),
    )


def test_unknown_fields_are_ignored() -> None:
    """A newer version's field does not prevent reading the others."""
    assert ModelSpec.from_dict({**SPEC.to_dict(), "colour": "blue"}) == SPEC


@pytest.mark.parametrize("options", [None, [1], {"members": [{"weight": 1.0}]}, {"members": 3}])
def test_options_that_cannot_be_read_are_refused(options: object) -> None:
    """The error is that of a damaged artifact."""
    with pytest.raises(ArtifactIncomplete, match=r"spec\.json"):
        ModelSpec.from_dict({**SPEC.to_dict(), "options": options})


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


@pytest.mark.parametrize(
    "field",
    [
        *(
            {name: value}
            for name in ("season_length", "horizon", "context_length")
            for value in (0, 10**30, "x", 1.5, True)
        ),
        {"encoder_length": 0},
        {"encoder_length": SPEC.context_length + 1},
        {"frequency": ["M"]},
        {"quantile_levels": [0.1, 0.9]},
        {"quantile_levels": [0.9, 0.5]},
        {"quantile_levels": ["a"]},
        {"memory": ["a"]},
        {"memory": None},
        {"past_covariates": "ab"},
        {"conformal": [1]},
        {"trained_to": 5},
    ],
    ids=str,
)
def test_a_field_that_no_forecast_could_be_made_with_is_refused(field: dict[str, object]) -> None:
    """The error names it."""
    with pytest.raises(ArtifactIncomplete, match=next(iter(field))):
        ModelSpec.from_dict({**SPEC.to_dict(), **field})


@pytest.mark.parametrize(
    ("version", "remedy"),
    [(None, "train it again"), (BLENDED_FORMAT + 1, "upgrade this one, and restart"), ("1", "train it again")],
)
def test_another_format_is_refused(version: object, remedy: str) -> None:
    """A spec that would be misread is not read, and the error says what to do."""
    with pytest.raises(ArtifactMismatch, match="format") as caught:
        ModelSpec.from_dict({**SPEC.to_dict(), "format": version})

    assert remedy in caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"spec"', b"\xff\xfe", "[" * 200_000])
def test_text_that_is_no_spec_is_refused(text: str | bytes) -> None:
    """Broken JSON, JSON that is not an object and bytes that are not text are all the same: incomplete."""
    with pytest.raises(ArtifactIncomplete, match=r"spec\.json"):
        ModelSpec.from_json(text)


def test_a_figure_that_is_not_finite_is_not_written() -> None:
    """JSON has no NaN: a spec with one cannot leave the process."""
    with pytest.raises(ValueError, match="JSON"):
        replace(SPEC, validation={"mase": float("nan")}).to_json()
