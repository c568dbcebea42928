r"""WaveNet: causal convolutions with doubling dilations, for a long receptive field with few layers.

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

A forecast from the newest step needs a tree of outputs: the last layer at one step, the layer before it at two, 64 apart,
the one before that at four. With doubling dilations, seven layers over 128 steps are then 127 products instead of 896.

Source: van den Oord et al. (2016), WaveNet: a generative model for raw audio; the tree: Le Paine et al. (2016), Fast
Wavenet generation algorithm.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from models.networks.errors import OptionInvalid, ReceptiveFieldTooShort
from models.networks.layer import Layer

DILATIONS = (1, 2, 4, 8, 16, 32, 64)


def receptive_field(dilations: Sequence[int]) -> int:
    """Return the number of steps that the newest output sees, with itself: 1 + the sum of the dilations (kernel 2)."""
    return 1 + sum(dilations)


def usable_dilations(dilations: Sequence[int], encoder_length: int) -> tuple[int, ...]:
    """Return the dilations below the encoder length; longer ones would read padding only."""
    if not dilations or any(isinstance(d, bool) or not isinstance(d, int) or d < 1 for d in dilations):
        raise OptionInvalid(f"Dilations must be whole numbers of 1 or more. Received: {list(dilations)}.")
    return tuple(d for d in dilations if d < encoder_length)


def check_receptive_field(dilations: Sequence[int], season_length: int) -> None:
    """Refuse a WaveNet that cannot see one season back; raises ReceptiveFieldTooShort."""
    field = receptive_field(dilations)
    if field < season_length:
        raise ReceptiveFieldTooShort(
            f"The dilations {list(dilations)} see {field} steps; the season has {season_length}.",
            hint=f"Add dilations until 1 + their sum is {season_length} or more, or raise encoder_length.",
        )


@keras.saving.register_keras_serializable(package="almanac")
class Delay(Layer):
    """x_{t-d}: (batch, time, channels) delayed by d steps, with zeros before the first."""

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
class Gate(Layer):
    """tanh of one half of the channels times the sigmoid of the other: (…, 2n) to (…, n)."""

    def call(self, x: Any) -> Any:
        """Return the gated half."""
        half = x.shape[-1] // 2
        return ops.tanh(x[..., :half]) * ops.sigmoid(x[..., half:])


@dataclass(frozen=True, slots=True)
class Lags:
    """Evenly spaced lags behind the newest step: 0, stride, 2 stride, ….

    Attributes:
        stride: Steps between two lags.
        count: Number of lags.
    """

    stride: int
    count: int

    def reached(self, dilation: int, length: int) -> "Lags":
        """Return the lags that a layer reads for outputs at these lags: the same and those `dilation` before, within `length`."""
        stride = math.gcd(self.stride, dilation) if self.count > 1 else dilation
        furthest = min(self.stride * (self.count - 1) + dilation, length - 1)
        return Lags(stride, furthest // stride + 1)


def lags_read(dilations: Sequence[int], length: int) -> list[Lags]:
    """Return the lags that each layer reads, and those of the output at the end; the first layer reads all."""
    lags = [Lags(1, 1)]
    for dilation in reversed(dilations[1:]):
        lags.append(lags[-1].reached(dilation, length))
    return [Lags(1, length), *lags[::-1]]


@keras.saving.register_keras_serializable(package="almanac")
class Taps(Layer):
    """Both taps of a layer at some lags only: x_t beside x_{t-d}, zeros before the first step.

    Input: (batch, read, channels), at the lags that the layer reads. Output: (batch, wanted, 2 channels).

    Args:
        dilation: Steps between the two taps.
        read: Stride and count of the input's lags.
        wanted: Stride and count of the output's.
    """

    def __init__(self, dilation: int, read: Sequence[int], wanted: Sequence[int], **options: Any) -> None:
        """Keep the options; there are no weights."""
        super().__init__(**options)
        self.dilation, self.read, self.wanted = dilation, tuple(read), tuple(wanted)

    def call(self, x: Any) -> Any:
        """Return both taps side by side."""
        (near, held), (far, count) = self.read, self.wanted
        step, back = max(far // near, 1), self.dilation // near
        known = min((held - 1 - back) // step + 1, count)
        now = x[:, held - 1 - (count - 1) * step :: step, :]
        before = x[:, held - 1 - back - (known - 1) * step : held - back : step, :]
        return ops.concatenate([now, ops.pad(before, ((0, 0), (count - known, 0), (0, 0)))], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {**super().get_config(), "dilation": self.dilation, "read": self.read, "wanted": self.wanted}


def encode(channels: Any, *, units: int, dilations: Sequence[int], every_step: bool, **_others: Any) -> Any:
    """Return the skip sum after the last step (batch, units), or after every step (batch, time, units).

    Args:
        channels: (batch, time, channels).
        units: Channels of each layer.
        dilations: Dilation of each layer.
        every_step: Whether to return the whole sequence.
    """
    x = keras.layers.Dense(units, name="input_projection")(channels)
    skips = [x if every_step else x[:, -1, :]]
    lags = [] if every_step else lags_read(dilations, channels.shape[1])
    for place, dilation in enumerate(dilations):
        # A kernel of two taps is one matrix over both taps side by side.
        if every_step:
            taps = keras.layers.Concatenate()([x, Delay(dilation)(x)])
        else:
            read, wanted = lags[place], lags[place + 1]
            taps = Taps(dilation, (read.stride, read.count), (wanted.stride, wanted.count))(x)
            x = taps[..., :units]
        gated = Gate()(keras.layers.Dense(2 * units, name=f"dilation_{dilation}_{place}")(taps))
        skips.append(keras.layers.Dense(units, name=f"skip_{place}")(gated if every_step else gated[:, -1, :]))
        x = keras.layers.Add()([x, keras.layers.Dense(units, name=f"residual_{place}")(gated)])
    total = keras.layers.Add()(skips) if len(skips) > 1 else skips[0]
    return keras.layers.Activation("silu")(total)
