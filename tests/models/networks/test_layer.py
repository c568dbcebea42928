import keras
import pytest

from models.networks.decoder import RepeatAhead


@pytest.mark.parametrize(
    ("horizon", "shape", "expected"), [(3, (1, 4), (1, 3, 4)), (3, (1, 5), (1, 3, 5)), (2, (1, 5), (1, 2, 5))]
)
def test_what_is_known_of_a_layer_is_of_the_same_options_and_input(
    horizon: int, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    """Another input or another option has another output; a second network has tensors of its own."""
    inputs = keras.Input(shape)

    first, second = (RepeatAhead(horizon)(inputs) for _ in range(2))

    assert first.shape == second.shape == (None, *expected)
    assert first is not second
