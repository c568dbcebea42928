"""Config: what a training is asked to do, typed, frozen, read once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How one network is built and fitted (the `[fit]` table of a configuration).

    Attributes:
        shape: Sequence shape: `one_to_one`, `one_to_many`, `many_to_many` or `many_to_many_equal`.
        units: Width of each layer.
        layers: Stacked recurrent layers.
        dilations: WaveNet's dilations; those that reach past the encoder's window are cut.
        context_length: Steps of history that the graph takes; None chooses from season and data.
        encoder_length: Steps that the encoder reads; None chooses from season and data.
        transform: `none`, `log`, or `auto` for what the validation origins say.
        batch_size: Windows in one step.
        learning_rate: Peak of the cosine schedule.
        weight_decay: AdamW's.
        clip_norm: Global gradient norm above which gradients are scaled down; 0 turns clipping off.
        max_steps: Optimizer steps at the most.
        steps_per_epoch: Steps between two looks at the validation origins.
        patience: Epochs without a better validation error before a training stops.
        max_seconds: Wall time at the most for choosing and fitting.
        validation_origins: Rolling origins before the cutoff that choices are made on.
    """

    shape: str = "many_to_many"
    units: int = 64
    layers: int = 2
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    context_length: int | None = None
    encoder_length: int | None = None
    transform: str = "auto"
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    max_steps: int = 1500
    steps_per_epoch: int = 50
    patience: int = 6
    max_seconds: float = 240.0
    validation_origins: int = 1
