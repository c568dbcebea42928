"""Re-export: the graph of an artifact is written anew from its network.keras, after a change of the exporter.

python -m models.networks.onnx_export.reexport models/starters/?/
"""

import sys
from pathlib import Path

from models import artifact
from models.networks.ensemble import load_network
from models.networks.onnx_export.export import check_parity, export
from models.networks.onnx_export.half_precision import to_half_precision
from models.networks.pretrained_weights import pretrained_options
from models.spec import ModelSpec


def export_again(folder: Path) -> None:
    """Write network.onnx anew, with rounded weights as fp16; every other file stays, and golden.json is replayed.

    Args:
        folder: A starter, or another artifact of one network.

    Raises:
        ArtifactIncomplete: If a file is missing or spec.json has no options.
        ArtifactMismatch: If the golden forecasts are not reproduced.
        ParityFailed: If the graph differs from the network.
    """
    spec = ModelSpec.from_json((folder / artifact.SPEC).read_text(encoding="utf-8"))
    network = load_network(folder / artifact.WEIGHTS)
    export(network, pretrained_options(spec, spec.horizon), folder / artifact.NETWORK)
    to_half_precision(folder / artifact.NETWORK)
    check_parity(network, folder / artifact.NETWORK)
    artifact.load(folder)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        export_again(Path(name))
