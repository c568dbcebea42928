r"""WaveNet: causal convolutions whose dilations double, so that few layers see far.

One layer of dilation d, kernel 2, gated, with residual and skip paths:

    y_t = W x_t + V x_{t-d}
    g_t = tanh(y_t[:n]) ⊙ σ(y_t[n:])
    x_t ← x_t + R g_t            residual: to the next layer
    s_t ← s_t + S g_t            skip: to the output

    dilation 4   o       o       o       o
                  \______|\______|\______|      each step reads itself and the step d before,
    dilation 2   o   o   o   o   o   o   o       never one after it
    dilation 1   o o o o o o o o o o o o o

Receptive field: 1 + sum of the dilations; 1, 2, 4, 8, 16, 32, 64 see 128 steps.

Source: van den Oord et al. (2016), WaveNet: a generative model for raw audio.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from models.errors import OptionInvalid, ReceptiveFieldTooShort

DILATIONS = (1, 2, 4, 8, 16, 32, 64)


def receptive_field(dilations: Sequence[int]) -> int:
    """Return how many steps the newest output sees, itself included: 1 + the sum of the dilations (kernel 2)."""
    return 1 + sum(dilations)


def usable_dilations(dilations: Sequence[int], encoder_length: int) -> tuple[int, ...]:
    """Return the dilations that reach a step the encoder reads; longer ones would only ever see padding."""
    if not dilations or any(isinstance(d, bool) or not isinstance(d, int) or d < 1 for d in dilations):
        raise OptionInvalid(f"Dilations must be whole numbers of 1 or more. Received: {list(dilations)}.")
    return tuple(d for d in dilations if d < encoder_length)


def check_receptive_field(dilations: Sequence[int], season_length: int) -> None:
    """Refuse a WaveNet that cannot see one season back.

    Raises:
        ReceptiveFieldTooShort: With the receptive field, the season and the dilations in its text.
    """
    field = receptive_field(dilations)
    if field < season_length:
        raise ReceptiveFieldTooShort(
            f"Dilations {list(dilations)} see {field} steps; the season has {season_length}.",
            hint=f"Add dilations until 1 + their sum is {season_length} or more, or read more steps.",
        )


@keras.saving.register_keras_serializable(package="almanac")
class Delay(keras.layers.Layer):
    """x_{t-d}: (batch, time, channels) moved d steps into the past's place, zeros before the first."""

    def __init__(self, steps: int, **options: Any) -> None:
        """Keep the options; there are no weights."""
        super().__init__(**options)
        self.steps = steps

    def call(self, x: Any) -> Any:
        """Return the delayed sequence."""
        return ops.pad(x[:, : -self.steps, :], ((0, 0), (self.steps, 0), (0, 0)))

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {**super().get_config(), "steps": self.steps}


@keras.saving.register_keras_serializable(package="almanac")
class Gate(keras.layers.Layer):
    """tanh of one half of the channels times the sigmoid of the other: (…, 2n) to (…, n)."""

    def call(self, x: Any) -> Any:
        """Return the gated half."""
        half = x.shape[-1] // 2
        return ops.tanh(x[..., :half]) * ops.sigmoid(x[..., half:])


def encode(channels: Any, *, units: int, dilations: Sequence[int], every_step: bool, **_others: Any) -> Any:
    """Return the skip sum after the last step (batch, units), or after every step (batch, time, units).

    Args:
        channels: (batch, time, channels).
        units: Channels of each layer.
        dilations: One layer for each.
        every_step: Whether the whole sequence is wanted.
    """
    x = keras.layers.Dense(units, name="input_projection")(channels)
    skips = [x if every_step else x[:, -1, :]]
    for place, dilation in enumerate(dilations):
        # A kernel of two taps, d apart, is one matrix over both taps side by side.
        taps = keras.layers.Concatenate()([x, Delay(dilation)(x)])
        gated = Gate()(keras.layers.Dense(2 * units, name=f"dilation_{dilation}_{place}")(taps))
        skips.append(keras.layers.Dense(units, name=f"skip_{place}")(gated if every_step else gated[:, -1, :]))
        x = keras.layers.Add()([x, keras.layers.Dense(units, name=f"residual_{place}")(gated)])
    total = keras.layers.Add()(skips) if len(skips) > 1 else skips[0]
    return keras.layers.Activation("silu")(total)
