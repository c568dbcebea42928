"""Networks: the Keras side of a model; importing this package costs seconds, so only training does."""
