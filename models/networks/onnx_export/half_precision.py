"""Halving: an artifact at half its size, its weights kept in sixteen bits, for one that ships with the package.

Half precision keeps eleven bits of a number: a relative error of at most one in two thousand, which is far below what the
next training with another seed would change. The network itself still counts in 32 bits.
"""

import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.networks.learner import Weights

SMALLEST = 64
"""Numbers below which a constant is left as it is."""


def round_to_half(weights: Weights) -> Weights:
    """Return weights rounded to what sixteen bits can hold, in their own type."""
    return [one.astype(np.float16).astype(one.dtype) for one in weights]


def to_half_precision(path: Path) -> None:
    """Rewrite network.onnx with its 32-bit weights in sixteen, each followed by a cast that the runtime does once."""
    model = onnx.load(path)
    kept, casts = [], []
    for one in model.graph.initializer:
        if one.data_type != TensorProto.FLOAT or np.prod(one.dims) < SMALLEST:
            kept.append(one)
            continue
        name = f"{one.name}/half"
        kept.append(numpy_helper.from_array(numpy_helper.to_array(one).astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [one.name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend([*casts, *nodes])
    path.write_bytes(model.SerializeToString())


def deflate(path: Path) -> None:
    """Rewrite network.keras, a zip file, compressed: rounded weights end in zeros."""
    with zipfile.ZipFile(path) as old:
        files = {one.filename: old.read(one) for one in old.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for name, content in files.items():
            new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)
