"""Half precision: artifacts of half the size, with weights stored as fp16, for the models of the package.

fp16 has a relative error of at most 1/2000, which is far below the difference between trainings with different seeds. The
network still computes in fp32.
"""

import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from models.networks.learner import Weights

SMALLEST = 4096
"""Fewest numbers of a constant that is stored as fp16."""


def round_to_half(weights: Weights) -> Weights:
    """Return weights rounded to fp16, in their own type."""
    return [one.astype(np.float16).astype(one.dtype) for one in weights]


def to_half_precision(path: Path) -> None:
    """Rewrite network.onnx with its weights as fp16, each with a cast that the runtime computes once.

    Products of rounded weights are not fp16 numbers; they stay as they are, so that the forecasts stay the same.
    """
    model = onnx.load(path)
    kept, casts = [], []
    for one in model.graph.initializer:
        weights = numpy_helper.to_array(one)
        if weights.dtype.kind != "f" or weights.size < SMALLEST or (round_to_half([weights])[0] != weights).any():
            kept.append(one)
            continue
        name = f"{one.name}/half"
        kept.append(numpy_helper.from_array(weights.astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [one.name], to=one.data_type))
    nodes = list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend([*casts, *nodes])
    path.write_bytes(model.SerializeToString())


def deflate(path: Path) -> None:
    """Rewrite network.keras, a zip file, with compression; rounded weights end in zeros."""
    with zipfile.ZipFile(path) as old:
        files = {one.filename: old.read(one) for one in old.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for name, content in files.items():
            new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)
