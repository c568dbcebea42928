"""An artifact's graph is written anew from its network, and the rest stays as it was."""

import shutil
from pathlib import Path

import onnx

from models import starters
from models.artifact import GOLDEN, NETWORK
from models.networks.onnx_export.reexport import export_again


def test_the_shipped_starters_are_what_the_exporter_writes(tmp_path: Path) -> None:
    """After a change of the exporter they are written again; golden.json, which is replayed, is that of the training."""
    shipped, folder = starters.FOLDER / "Y", tmp_path / "Y"
    shutil.copytree(shipped, folder)

    export_again(folder)

    kinds = [[one.op_type for one in onnx.load(where / NETWORK).graph.node] for where in (shipped, folder)]
    assert kinds[0] == kinds[1]
    assert (folder / GOLDEN).read_bytes() == (shipped / GOLDEN).read_bytes()
