"""Pretrain: the starters are trained on synthetic series alone, tracked in MLflow; an interrupted call resumes."""

import shutil
from dataclasses import asdict
from pathlib import Path

from models import artifact
from models.calendar.zoned_grid import parse_frequency
from models.errors import ArtifactIncomplete
from models.networks.build import build
from models.networks.ensemble import load_network
from models.networks.errors import OptionInvalid
from models.networks.learner import Learner, Weights
from models.networks.onnx_export.half_precision import deflate, to_half_precision
from models.spec import ModelOptions
from models.starters import NAME, clear_cache
from training.config.fit import FitConfig
from training.fit.candidate import TrainingSet
from training.fit.export import DESCRIBED_WINDOWS, FitSummary, export_network
from training.fit.request import FitRequest
from training.fit.validation import evaluate
from training.pretraining.held_out import HeldOut
from training.pretraining.starter_card import CARD, PretrainedStarter, card, describe
from training.pretraining.starter_specs import FIRST, STARTER_SPECS, StarterSpec
from training.pretraining.starter_training import Cost, PretrainRequest, StarterTraining
from training.progress import Progress
from training.registry import runs
from training.registry.client import Registry
from training.registry.provenance import RunEnvironment


def pretrain(
    request: PretrainRequest, registry: Registry, progress: Progress, environment: RunEnvironment
) -> list[PretrainedStarter]:
    """Return the requested starters, made one after the other, each in an MLflow run of its own.

    A stage that an earlier call with the same settings has finished or begun resumes from its checkpoint.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
        NetworkError: If a network cannot be exported.
        RegistryError: If MLflow does not answer.
    """
    try:
        made = _make_all(request, registry, progress, environment)
    except KeyboardInterrupt:
        if any(request.unfinished.glob("*.npz")):
            progress.report(f"Checkpoints are in {request.unfinished}. Run the same command to go on.")
        else:
            progress.report("There is no checkpoint yet; the next call begins anew.")
        raise
    shutil.rmtree(request.unfinished)
    clear_cache()
    return made


def is_made(request: PretrainRequest) -> bool:
    """Return whether every requested starter is in the output folder, made with these settings."""
    cards = [request.output / kind / CARD for kind in request.kinds]
    return all(card.is_file() and request.command in card.read_text(encoding="utf-8") for card in cards)


def _make_all(
    request: PretrainRequest, registry: Registry, progress: Progress, environment: RunEnvironment
) -> list[PretrainedStarter]:
    names, first = _order(request), _given(request)
    made = list[PretrainedStarter]()
    with runs.tracked_run(registry, NAME, "pretrain") as parent:
        _log_request(registry, parent, request, environment)
        for name in names:
            with runs.tracked_run(registry, NAME, name, parent=parent) as run_id:
                training = StarterTraining(request, STARTER_SPECS[name], registry, progress, run_id)
                learner, held_out, cost = training.train(first)
                first = (learner.network.get_weights(), STARTER_SPECS[name]) if name == FIRST else first
                if name in request.kinds:
                    starter = _export(training, learner, held_out, cost, environment.commit)
                    registry.log(run_id, metrics=dict(starter.figures), tags={"almanac.kind": NAME})
                    registry.log_files(run_id, starter.directory, NAME)
                    progress.report(describe(starter))
                    made.append(starter)
    return made


def _order(request: PretrainRequest) -> list[str]:
    """Return the starters to make, the first one first: it is made in any case, unless its weights are given."""
    return [name for name in STARTER_SPECS if name in request.kinds or (name == FIRST and request.first is None)]


def _given(request: PretrainRequest) -> tuple[Weights, StarterSpec] | None:
    """Return the weights of a first starter that exists, and its spec; raises ArtifactIncomplete, OptionInvalid."""
    if request.first is None:
        return None
    path = request.first / artifact.WEIGHTS
    if not path.is_file():
        raise ArtifactIncomplete(
            f"{path} does not exist.",
            hint=f"--first names the folder of a starter {FIRST}, which `almanac pretrain` has made.",
        )
    spec = STARTER_SPECS[FIRST]
    weights: Weights = load_network(path).get_weights()
    expected = build(spec.options(request.units, request.layers)).get_weights()
    if [one.shape for one in weights] != [one.shape for one in expected]:
        raise OptionInvalid(
            f"{path} is another network than a starter {FIRST} of {request.layers} layers of {request.units} units.",
            hint=f"--first names the folder of a starter {FIRST}, such as models/starters/{FIRST}; --units and --layers are its own.",
        )
    return weights, spec


def _export(
    training: StarterTraining, learner: Learner, held_out: HeldOut, cost: Cost, commit: str | None
) -> PretrainedStarter:
    """Write the artifact with its card into the output folder, calibrated on held-out synthetic windows."""
    request, spec = training.request, training.spec
    name, directory = spec.frequency, request.unfinished / spec.frequency
    figures, conformal = evaluate(held_out.validate(learner))
    fit_request = FitRequest(
        training_set=TrainingSet(held_out.series(), parse_frequency(name).name, spec.horizon, request.digest),
        architecture="lstm",
        name=NAME,
        seed=request.seed,
        config=FitConfig(),
        directory=directory,
    )
    summary = FitSummary(ModelOptions(calendar=False), figures, conformal.widened(spec.widening).to_dict())
    export_network(learner, held_out.batch.contexts.part(slice(DESCRIBED_WINDOWS)), fit_request, summary)
    to_half_precision(directory / artifact.NETWORK)
    deflate(directory / artifact.WEIGHTS)
    windows = cost.steps * request.batch_size
    observations = windows * (spec.context_length + spec.horizon)
    artifact.update_spec(directory, series_count=windows, observation_count=observations, run_id=training.run_id)
    figures = {
        **figures,
        "mase_seasonal_naive": held_out.naive_error(parse_frequency(name).season_length),
        "train_seconds": cost.seconds,
        "steps": float(cost.steps),
        "megabytes": sum(one.stat().st_size for one in directory.iterdir()) / 1e6,
    }
    starter = PretrainedStarter(name, request.output / name, request.command, commit, figures)
    (directory / CARD).write_text(card(starter), encoding="utf-8")
    _replace(starter.directory, directory)
    return starter


def _replace(folder: Path, new: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(new, folder)


def _log_request(registry: Registry, run_id: str, request: PretrainRequest, environment: RunEnvironment) -> None:
    """Log the settings, and the program that makes the starters."""
    settings = {key: value for key, value in asdict(request).items() if key not in {"output", "home"}}
    tags = {"almanac.kind": NAME, "command": environment.command, "machine": environment.machine}
    tags |= {f"packages.{name}": version for name, version in environment.packages.items()}
    if environment.commit:
        tags["mlflow.source.git.commit"] = environment.commit
    registry.log(run_id, params={**settings, "digest": request.digest}, tags=tags)
