from dataclasses import replace

import pytest

from models.spec import ModelOptions, ModelSpec
from training.config.fit import FitConfig, with_choices


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [100, 300, 900, 2700]),
        ({"max_steps": 900}, [100, 300, 900]),
        ({"max_steps": 901}, [100, 300, 901]),
        ({"max_steps": 1500}, [100, 300, 900, 1500]),
        ({"max_steps": 90}, [10, 30, 90]),
        ({"max_steps": 2}, [1, 2]),
        ({"max_steps": 1}, [1]),
        ({"steps": 40}, [40]),
    ],
)
def test_schedules_grow_threefold_to_the_longest(settings: dict[str, int], expected: list[int]) -> None:
    """From one of 100 steps, or a ninth where that is less; the last is worth its time beside the one before."""
    assert FitConfig(**settings).schedules == expected  # type: ignore[arg-type]


def test_a_second_training_keeps_the_choices_of_the_first() -> None:
    """What the validation origins chose is set firmly, the rest stays."""
    chosen = ModelOptions(calendar=False, steps=300)
    spec = ModelSpec("n", "gru", "many_to_many", "M", 12, 60, 36, 6, transform="log", options=chosen)

    fit = with_choices(FitConfig(units=8), spec)

    sized = FitConfig(units=8, context_length=60, encoder_length=36)
    assert fit == replace(sized, transform="log", calendar=False, steps=300, synthetic_share=0.0)


@pytest.mark.parametrize(
    ("changes", "compiled"),
    [
        ({}, True),
        ({"max_seconds": 20}, False),
        ({"max_seconds": 20, "jit_compile": True}, True),
        ({"max_steps": 200}, False),
    ],
)
def test_xla_is_used_where_there_is_time_to_compile(changes: dict[str, float], *, compiled: bool) -> None:
    """What was used then is used again, however much time there is now."""
    fit = FitConfig(**changes)  # type: ignore[arg-type]
    options = ModelOptions(jit_compile=fit.compiled)
    spec = ModelSpec("n", "gru", "many_to_many", "M", 12, 60, 36, 6, options=options)

    again = with_choices(replace(fit, max_seconds=86_400), spec)

    assert fit.compiled is again.compiled is compiled


@pytest.mark.parametrize(
    ("points", "asked", "batch", "steps"),
    [
        (100, {}, 64, 100),
        (5_000, {}, 256, 1_250),
        (10**6, {}, 256, 2_700),
        (100, {"batch_size": 8, "max_steps": 9}, 8, 9),
    ],
)
def test_few_data_have_short_schedules_of_small_batches(
    points: int, asked: dict[str, int], batch: int, steps: int
) -> None:
    """At most 64 windows for each point, unless a person says otherwise."""
    found = FitConfig(**asked).for_points(points)  # type: ignore[arg-type]

    assert (found.batch, found.schedules[-1]) == (batch, steps)
