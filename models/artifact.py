"""Artifact: a stored model (network.onnx, network.keras, spec.json, golden.json), saved and loaded.

The model that a blended one is blended with lies beside these files in a folder, an artifact itself.

Nothing here is a pickle, and loading runs no code of the artifact. Loading forecasts from the golden inputs and refuses a
model whose forecasts differ from those at save time.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import AlmanacError, ArtifactIncomplete, ArtifactMismatch, FrequencyUnknown
from models.forecaster import Forecaster
from models.forecasting.blended import BlendedForecaster
from models.forecasting.request import ForecasterRequest
from models.forecasting.season_blend import Blend
from models.json_values import to_json_value
from models.onnx_files.contents import find_outside
from models.pyfunc import PyfuncForecaster
from models.spec import ModelSpec
from models.windows import Contexts

NETWORK, WEIGHTS, SPEC, GOLDEN = "network.onnx", "network.keras", "spec.json", "golden.json"

SERVED = (NETWORK, SPEC, GOLDEN)
"""Files that a model is served from."""

SEASONLESS = "without_season"
"""Folder of the model that a blended one is blended with; its name sorts after spec.json, so that a search finds the whole first."""

MOST_DEPTH = 2
"""Folders in each other at the most: an ensemble blended with one that is blended itself."""

MOST_NETWORK_BYTES, MOST_JSON_BYTES = 512_000_000, 64_000_000
"""A network of the most weights that can be configured has 200 MB; golden.json has 40 kB in a usual model."""
STORED_HINT = "Register a model that `almanac train` has stored."

GOLDEN_TOLERANCE = 1e-4
"""Largest difference allowed at load, in units of the range of the golden context or of its forecast, the larger one:
networks compute in float32, and machines differ."""


def open_network(path: Path) -> Any:  # noqa: ANN401 - onnxruntime ships no types
    """Return an ONNX session on one thread without spinning, for many small forecasts at a time.

    Raises:
        ArtifactIncomplete: If the file is missing, is not an ONNX graph, is too large, or needs other files or libraries.
    """
    import onnxruntime

    content = _read_bytes(path, MOST_NETWORK_BYTES)
    _check_contents(path, content)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except (OSError, RuntimeError, ValueError) as error:
        raise ArtifactIncomplete(
            f"{path} cannot be opened: {error}", hint="Download or train the model again."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's errors have no common class
        raise ArtifactIncomplete(
            f"{path} is not an ONNX graph: {error}", hint="Download or train the model again."
        ) from error


def load(directory: Path) -> Forecaster:
    """Return the forecaster of an artifact whose golden forecasts are reproduced.

    Whatever else the content of a file makes Python or a library raise is an ArtifactMismatch too, apart from MemoryError,
    which a sound artifact raises on a machine that is full.

    Raises:
        ArtifactIncomplete: If a file is missing or cannot be read.
        ArtifactMismatch: If a golden forecast is not reproduced, or the spec has another format or is not the network's.
    """
    with _refusing(f"{directory} cannot be loaded"):
        return _load(directory, MOST_DEPTH)


def save(directory: Path, spec: ModelSpec) -> Forecaster:
    """Write spec.json and golden.json beside network.onnx and what it is blended with, and return the forecaster."""
    (directory / SPEC).write_text(spec.to_json())
    forecaster = _open(directory, MOST_DEPTH)
    contexts = golden_contexts(spec)
    golden = {name: to_json_value(value.tolist()) for name, value in contexts.inputs().items()}
    golden["quantiles"] = forecaster.quantiles(contexts).tolist()
    (directory / GOLDEN).write_text(json.dumps(golden, allow_nan=False))
    return load(directory)


def update_spec(directory: Path, **changes: Any) -> Forecaster:  # noqa: ANN401 - any field of ModelSpec
    """Rewrite fields of spec.json, such as `backtest`, and return the forecaster."""
    spec = replace(ModelSpec.from_json(_read(directory / SPEC)), **changes)
    (directory / SPEC).write_text(spec.to_json())
    return load(directory)


def forecast_seconds(forecaster: Forecaster, repeats: int = 3) -> float:
    """Return the processor time that the networks take for the golden inputs, the least of some runs: four series at once.

    On the clock a busy server takes five milliseconds and more for any network, as long as the interpreter waits for its turn.

    Raises:
        ArtifactMismatch: If a network fails with them.
    """

    def run() -> float:
        began = time.thread_time()
        forecaster.quantiles(contexts)
        return time.thread_time() - began

    with _refusing("The network does not accept the golden inputs"):
        contexts = golden_contexts(forecaster.spec)
        return min(run() for _ in range(repeats)) + sum(forecast_seconds(part, repeats) for part in forecaster.parts)


def network_mb(directory: Path) -> float:
    """Return the size of network.onnx, and of that of each part, in 10⁶ bytes."""
    return sum((directory / name).stat().st_size for name in served_files(directory) if name.endswith(NETWORK)) / 1e6


def served_files(directory: Path) -> list[str]:
    """Return the files that a model is served from, those of its parts among them, as paths from its folder."""
    part = directory / SEASONLESS
    inner = [f"{SEASONLESS}/{name}" for name in served_files(part)] if (part / SPEC).is_file() else []
    return [*SERVED, *inner]


def golden_contexts(spec: ModelSpec) -> Contexts:
    """Return inputs that test a graph: a season, a trend, gaps, a short history, unknown dates; always the same."""
    generator = np.random.default_rng(20)
    steps = np.arange(spec.context_length)
    season = np.sin(2 * np.pi * steps / max(spec.season_length, 2))
    rows = 20.0 + 5.0 * season + 0.02 * steps + generator.normal(0.0, 1.0, (4, spec.context_length))
    rows[1, generator.random(spec.context_length) < 0.2] = np.nan  # noqa: PLR2004
    rows[2, :-5] = np.nan
    rows[:, -1] = 21.0
    phase = np.array([0, spec.season_length - 1, -1, -1], dtype=np.int32)
    if not spec.covariates:
        return Contexts(rows, phase)
    columns = generator.normal(10.0, 2.0, (4, spec.context_length + spec.horizon, len(spec.covariates.all)))
    columns[1, generator.random(columns.shape[1:]) < 0.2] = np.nan  # noqa: PLR2004
    columns[2, :, 0] = np.nan
    columns[3] = 1.0
    past, ahead = columns[:, : spec.context_length], columns[:, spec.context_length :, len(spec.past_covariates) :]
    return Contexts(rows, phase, past, ahead if spec.future_covariates else None)


def _load(directory: Path, depth: int) -> Forecaster:
    """Return the forecaster of an artifact whose golden forecasts are reproduced, of at most so many folders in it."""
    forecaster = _open(directory, depth)
    _replay(forecaster, _read(directory / GOLDEN))
    return forecaster


def _open(directory: Path, depth: int) -> Forecaster:
    """Return the forecaster of an artifact, replaying the golden forecasts of its parts only."""
    spec, network = ModelSpec.from_json(_read(directory / SPEC)), open_network(directory / NETWORK)
    try:
        forecaster = Forecaster(spec, network)
    except FrequencyUnknown as error:
        raise ArtifactMismatch(f"spec.json is not usable: {error.detail}", hint="Train the model again.") from error
    if spec.options.blend is None:
        return forecaster
    if not depth:
        raise ArtifactIncomplete(f"{directory} has a model in too many others.", hint=STORED_HINT)
    blend, part = Blend.from_dict(spec.options.blend), _load(directory / SEASONLESS, depth - 1)
    if (part.spec.frequency, part.spec.quantile_levels) != (spec.frequency, spec.quantile_levels):
        raise ArtifactMismatch(
            f"{directory / SEASONLESS} has another frequency or other quantile levels than the model around it.",
            hint="The files do not belong together.",
        )
    return BlendedForecaster(forecaster, part, blend)


def _check_contents(path: Path, content: bytes) -> None:
    """Raise ArtifactIncomplete for a network that reads other files, or whose operators need a library."""
    try:
        outside = find_outside(content)
    except ValueError as error:
        raise ArtifactIncomplete(
            f"{path} is not an ONNX graph: {error}.", hint="Download or train the model again."
        ) from error
    if outside.has_external_data:
        raise ArtifactIncomplete(f"{path} keeps weights in another file, which is never opened.", hint=STORED_HINT)
    if outside.domains:
        names = ", ".join(sorted(outside.domains))
        raise ArtifactIncomplete(f"{path} has operators of {names}; only standard ones run.", hint=STORED_HINT)


def check_file(path: Path, most: int) -> None:
    """Raise ArtifactIncomplete for a file of an artifact that is a symbolic link, or has more than `most` bytes.

    A file that does not exist passes.
    """
    if path.is_symlink():
        raise ArtifactIncomplete(f"{path} is a symbolic link, which is never followed.", hint=STORED_HINT)
    if path.is_file() and (size := path.stat().st_size) > most:
        raise ArtifactIncomplete(
            f"{path} has {size / 1e6:,.0f} MB; at most {most / 1e6:,.0f} MB are read.", hint=STORED_HINT
        )


def _read_bytes(path: Path, most: int) -> bytes:
    """Return a file's content, or raise ArtifactIncomplete if it cannot or must not be read."""
    check_file(path, most)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactIncomplete(
            f"{path} cannot be opened: {error}", hint="Download or train the model again."
        ) from error


def _read(path: Path) -> str:
    """Return a file's text, or raise ArtifactIncomplete if it cannot or must not be read."""
    check_file(path, MOST_JSON_BYTES)
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactIncomplete(
            f"{path} cannot be read: {error}", hint="Download or train the model again."
        ) from error


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Raise ArtifactMismatch for any exception but MemoryError that is not Almanac's own: `what`, and the cause."""
    try:
        yield
    except (AlmanacError, MemoryError):
        raise
    except Exception as error:
        raise ArtifactMismatch(f"{what}: {type(error).__name__}: {error}", hint=STORED_HINT) from error


def _replay(forecaster: Forecaster, text: str) -> None:
    """Raise ArtifactMismatch if the golden forecasts are not reproduced."""
    try:
        golden = json.loads(text)
        floats = {name: np.array(golden[name], dtype=np.float64) for name in golden if name != "phase"}
        expected, context = floats.pop("quantiles"), floats["context"]
        contexts = Contexts(phase=np.array(golden["phase"], dtype=np.int32), **floats)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ArtifactIncomplete(f"golden.json cannot be read: {error!r}", hint="Train the model again.") from error
    with _refusing("The network does not accept the inputs of golden.json"):
        found = forecaster.quantiles(contexts)
    if found.shape != expected.shape:
        raise ArtifactMismatch(f"The network returns the shape {found.shape}; golden.json has {expected.shape}.")
    _check_lengths(forecaster.spec, contexts, found)
    # The range of the forecast counts too, because a context of one value has none.
    unit = np.maximum(np.nanmax(context, axis=1) - np.nanmin(context, axis=1), np.ptp(expected, axis=(1, 2)))
    worst = float(np.max(np.abs(found - expected) / np.maximum(unit, 1e-9)[:, None, None]))
    if not worst <= GOLDEN_TOLERANCE:
        raise ArtifactMismatch(
            f"Forecasts differ from golden.json by {worst:.2g} of the context's range; {GOLDEN_TOLERANCE:g} is allowed.",
            hint="The files do not belong together, or onnxruntime has changed; train the model again.",
        )
    _calibrate(forecaster, found)


def _calibrate(forecaster: Forecaster, quantiles: NDArray[np.float64]) -> None:
    """Raise ArtifactMismatch if the conformal offsets of spec.json cannot be added to the network's forecasts."""
    with _refusing("The conformal offsets of spec.json do not fit the network"):
        table = forecaster.plan(ForecasterRequest((), forecaster.spec.horizon)).calibrate(quantiles)
    if not np.isfinite(table).all():
        raise ArtifactMismatch("With the conformal offsets of spec.json forecasts are not finite.", hint=STORED_HINT)


def _check_lengths(spec: ModelSpec, contexts: Contexts, quantiles: NDArray[np.float64]) -> None:
    """Raise ArtifactMismatch if the network's lengths, levels and covariates are not those of spec.json."""
    past, ahead = (0 if one is None else one.shape[2] for one in (contexts.past_covariates, contexts.future_covariates))
    found = (contexts.context.shape[1], *quantiles.shape[1:], past, ahead)
    known_ahead = len(spec.covariates.all) - len(spec.past_covariates)
    lengths = (spec.context_length, spec.horizon, len(spec.quantile_levels))
    expected = (*lengths, len(spec.covariates.all), known_ahead)
    if found != expected:
        raise ArtifactMismatch(
            f"The network has context, horizon, levels, covariates and those known ahead {found}; spec.json has {expected}.",
            hint="The files do not belong together.",
        )


def _load_pyfunc(path: str) -> PyfuncForecaster:
    """Return the pyfunc for MLflow; the loader of older models is this module, that of newer ones a package around it."""
    return PyfuncForecaster(load(Path(path)))
