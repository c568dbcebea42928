"""Network errors: why a network cannot be built or exported, as a branch of the error tree.

NetworkError
├── ArchitectureUnknown
├── OptionInvalid
├── ReceptiveFieldTooShort      a WaveNet that cannot see one season
└── ParityFailed                ONNX and Keras give different forecasts
"""

from models.errors import AlmanacError


class NetworkError(AlmanacError):
    """A network that cannot be built or exported."""

    code = "NETWORK_INVALID"


class ArchitectureUnknown(NetworkError):
    """An architecture that is not in the table."""

    code = "ARCHITECTURE_UNKNOWN"


class OptionInvalid(NetworkError):
    """A network option out of range."""

    code = "OPTION_INVALID"


class ReceptiveFieldTooShort(NetworkError):
    """A WaveNet that cannot see one season."""

    code = "RECEPTIVE_FIELD_TOO_SHORT"


class ParityFailed(NetworkError):
    """ONNX and Keras give different forecasts."""

    code = "PARITY_FAILED"
