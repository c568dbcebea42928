"""Fit configuration: the `[fit]` table of a configuration: network shape, schedules, what validation may choose."""

from dataclasses import fields, replace
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool
from pydantic.dataclasses import dataclass

from models.errors import ConfigInvalid
from models.jobs.setting_bounds import check_bounds
from models.spec import ModelSpec
from training.config.config_errors import STRICT, Count, Number, check_choice, config_errors

SHAPES = ("one_to_one", "one_to_many", "many_to_many", "many_to_many_equal")
TRANSFORMS = ("auto", "none", "log")

SHORTEST, LONGER = 100, 3
"""Steps of the shortest schedule at the most, and times as long each next one is."""

MOST_SYNTHETIC = 0.9

WORTHWHILE = 1.5
"""A schedule is not tried where it would have less than so many times the last one's steps."""

WORTH_COMPILING = 60.0
"""Seconds of a candidate from which XLA is used: compiling takes about ten seconds more, and a step a third of the time."""

STEPS_WORTH_COMPILING = 300
"""Steps of the longest schedule from which XLA is used. Measured with one series of 150 months, in processor seconds: XLA costs
11 of an LSTM and 16 of a WaveNet, and saves .1 and .06 a step of 64 windows; all schedules together have three times as many."""

BATCH, SMALL_BATCH = 256, 64
"""Windows in one step, and where data are few: 100 points have 100 windows."""

FEW_POINTS = 2_000
"""Points that training sees below which data are few."""

MOST_STEPS, FEWEST_STEPS = 2700, 100
"""Steps of the longest schedule at the most, and at the least however few data are."""

MOST_PASSES = 64
"""Windows drawn for each point in the longest schedule at the most: more learn few data by heart."""


def _one_of(name: str, choices: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        check_choice(name, value, choices)
        return value

    return AfterValidator(check)


@dataclass(frozen=True, slots=True, config=STRICT)
class FitConfig:
    """How one network is built and fitted.

    Attributes:
        shape: Sequence shape: `one_to_one`, `one_to_many`, `many_to_many` or `many_to_many_equal`.
        units: Width of each layer.
        layers: Stacked recurrent layers.
        dilations: WaveNet's dilations; those that reach past the encoder's window are cut.
        context_length: Steps of history that the graph takes; None chooses from season and data.
        encoder_length: Steps that the encoder reads; None chooses from season and data.
        transform: `none`, `log`, or `auto` for what the validation origins say.
        calendar: Whether the network may know the season position; None for what the validation origins say.
        synthetic_share: Share of the windows that is synthetic; None tries a half beside none where data are few. What goes
            on from a starter or a champion has none.
        batch_size: Windows in one step; None takes 256, or 64 if training sees fewer than 2,000 points.
        learning_rate: Peak of the cosine schedule.
        weight_decay: AdamW's.
        clip_norm: Global gradient norm above which gradients are scaled down; 0 turns clipping off.
        max_steps: Optimizer steps of the longest schedule; None takes 2,700, or fewer where data are few: 64 windows for each
            point, 100 steps or more. It is tried after ones of 100 steps, or a ninth of it where that
            is less, of three times as many, and so on.
        steps: Optimizer steps of the one schedule to go through; None chooses as above.
        last_steps: Steps that the chosen trial goes on for with nothing held out; None goes through its schedule again, or
            as far as `max_seconds` allows.
        steps_per_epoch: Steps between two looks at the validation origins.
        tuned_share: Share of the tuned weights in a tuned starter, the rest being the starter's own; None chooses among 0, a
            half and 1.
        max_seconds: Wall time of one candidate, from its windows to its export; at least one step is taken.
        jit_compile: Whether XLA compiles the steps; None does so if `max_seconds` is 60 or more and the longest schedule has
            300 steps or more.
        validation_origins: Rolling origins of each series, a step apart, that choices are made on; None spreads them over
            up to three horizons, about 200 or more in all.

    Raises:
        ConfigInvalid: If a value is of the wrong type or out of range.
    """

    shape: Annotated[str, _one_of("fit.shape", SHAPES)] = "many_to_many"
    units: Count = 64
    layers: Count = 2
    dilations: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 2, 4, 8, 16, 32, 64)
    context_length: Count | None = None
    encoder_length: Count | None = None
    transform: Annotated[str, _one_of("fit.transform", TRANSFORMS)] = "auto"
    calendar: StrictBool | None = None
    synthetic_share: Annotated[Number, Field(ge=0, le=MOST_SYNTHETIC)] | None = None
    batch_size: Count | None = None
    learning_rate: Annotated[Number, Field(gt=0)] = 3e-3
    weight_decay: Annotated[Number, Field(ge=0)] = 1e-4
    clip_norm: Annotated[Number, Field(ge=0)] = 1.0
    max_steps: Count | None = None
    steps: Count | None = None
    last_steps: Count | None = None
    tuned_share: Annotated[Number, Field(ge=0, le=1)] | None = None
    steps_per_epoch: Count = 50
    max_seconds: Annotated[Number, Field(gt=0)] = 240.0
    jit_compile: StrictBool | None = None
    validation_origins: Count | None = None

    _errors = config_errors("fit")

    def __post_init__(self) -> None:
        check_bounds({"fit": {item.name: getattr(self, item.name) for item in fields(self)}})
        if self.synthetic_share and (self.shape != "many_to_many" or self.context_length == 1):
            raise ConfigInvalid(
                f"Synthetic windows have the shape many_to_many. Received: fit.shape {self.shape!r}, "
                f"fit.context_length {self.context_length}.",
                hint="Set fit.synthetic_share = 0, or leave shape and context as they are.",
            )

    @property
    def compiled(self) -> bool:
        """Whether XLA compiles the steps: it takes longer than it saves if there is little time, or are few steps."""
        if self.jit_compile is not None:
            return self.jit_compile
        return self.max_seconds >= WORTH_COMPILING and self.schedules[-1] >= STEPS_WORTH_COMPILING

    @property
    def batch(self) -> int:
        """Windows in one step."""
        return self.batch_size or BATCH

    @property
    def schedules(self) -> list[int]:
        """Optimizer steps of the schedules to try, rising: the one asked for, or parts of `max_steps` and then all."""
        if self.steps is not None:
            return [self.steps]
        most = self.max_steps or MOST_STEPS
        shorter = [max(1, min(SHORTEST, most // LONGER**2))]
        while WORTHWHILE * LONGER * shorter[-1] <= most:
            shorter.append(LONGER * shorter[-1])
        return sorted({*shorter, most})

    def for_points(self, points: int) -> "FitConfig":
        """Return the configuration with batch size and longest schedule for data of so many points, where it has none."""
        batch = self.batch_size or (BATCH if points >= FEW_POINTS else SMALL_BATCH)
        most = self.max_steps or min(MOST_STEPS, max(FEWEST_STEPS, MOST_PASSES * points // batch))
        return replace(self, batch_size=batch, max_steps=most)


def with_choices(fit: FitConfig, spec: ModelSpec) -> FitConfig:
    """Return the fit with what the validation origins chose set firmly, for a second training with the same choices."""
    return replace(
        fit,
        transform=spec.transform,
        context_length=spec.context_length,
        encoder_length=spec.encoder_length,
        calendar=spec.options.calendar,
        steps=spec.options.steps,
        tuned_share=spec.options.tuned_share,
        synthetic_share=spec.options.synthetic_share or 0.0,
        jit_compile=fit.jit_compile if spec.options.jit_compile is None else spec.options.jit_compile,
    )
