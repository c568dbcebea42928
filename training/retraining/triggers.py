"""Triggers: whether a champion should be retrained, or a new one rolled back, by what registry and service know."""

import tempfile
from datetime import datetime
from pathlib import Path

from models.artifact import SPEC
from models.errors import ModelUnknown, ServiceUnreachable
from models.names import CHALLENGER, CHAMPION, PREVIOUS
from models.retraining import reasons
from models.retraining.champion_figures import ChampionEvidence, unknown_evidence
from models.retraining.live_promotion import LivePromotion, decide_live_promotion
from models.retraining.reasons import RetrainAssessment
from models.retraining.thresholds import DEFAULT, Thresholds
from models.spec import ModelSpec
from training.config.retrain import RetrainConfig
from training.pipeline.register import LIVE_SCORES
from training.registry.client import Registry
from training.registry.location import Version
from training.retraining.rollback import Rollback, decide_rollback
from training.service_client.client import Address
from training.service_client.live_accuracy import (
    count_steps,
    read_live,
    read_periods,
    read_scored_steps,
    steps_in_period,
)


def assess(
    name: str, config: RetrainConfig, address: Address | None, registry: Registry | None, now: datetime
) -> RetrainAssessment:
    """Return whether a model should be retrained, and why, by the live figures of its champion.

    If the service does not answer, its figures are unknown, which is no reason to retrain.

    Raises:
        RegistryUnreachable: If the registry does not answer.
    """
    at = now.isoformat(timespec="seconds")
    if registry is None:
        return reasons.assess_retraining(name, None, config.thresholds(), at)
    try:
        champion = registry.models.resolve(f"{name}@{CHAMPION}")
    except ModelUnknown:
        return reasons.assess_retraining(name, None, config.thresholds(), at)
    return reasons.assess_retraining(
        name, _seen(champion, config.thresholds(), address, registry), config.thresholds(), at
    )


def watch(name: str, address: Address, registry: Registry) -> Rollback | None:
    """Return whether a new champion should be rolled back, by the service's scores of it and of its predecessor.

    None if there is nothing to compare: no predecessor, a champion that is older than its predecessor (it was rolled back
    already) or that has two seasons of scores (its decay is a reason to retrain), or no service that answers. Both are
    compared at the steps ahead at which the new one has many scores, over as many newest periods as the new one has.

    Raises:
        RegistryUnreachable: If the registry does not answer.
    """
    try:
        fresh, predecessor = (registry.models.resolve(f"{name}@{alias}") for alias in (CHAMPION, PREVIOUS))
    except ModelUnknown:
        return None
    if int(fresh.version) <= int(predecessor.version):
        return None
    try:
        steps = count_steps(address, fresh)
        if not steps:
            return None
        spec = _spec_of(fresh, registry)
        now = read_periods(address, fresh, spec, steps=steps)
        if len(now.periods) * steps_in_period(spec) > DEFAULT.steps(spec.season_length, spec.horizon):
            return None
        return decide_rollback(now, read_periods(address, predecessor, spec, steps=steps, periods=len(now.periods)))
    except ServiceUnreachable:
        return None


def compare_challenger(name: str, address: Address, registry: Registry) -> LivePromotion | None:
    """Return what live scores say of a challenger that waits for them; None if none waits, or no service answers.

    Raises:
        RegistryUnreachable: If the registry does not answer.
    """
    try:
        challenger, champion = (registry.models.resolve(f"{name}@{alias}").version for alias in (CHALLENGER, CHAMPION))
        fewest = int(registry.models.tags(name, challenger).get(LIVE_SCORES, "0"))
        if not fewest or challenger == champion:
            return None
        ours, theirs = (read_scored_steps(address, name, one) for one in (challenger, champion))
    except (ModelUnknown, ServiceUnreachable):
        return None
    return decide_live_promotion(ours, theirs, versions=(challenger, champion), fewest=fewest)


def _seen(champion: Version, thresholds: Thresholds, address: Address | None, registry: Registry) -> ChampionEvidence:
    if address is None:
        return unknown_evidence(champion.version, "no service is named; set ALMANAC_SERVICE_URL.")
    try:
        return read_live(address, champion, _spec_of(champion, registry), thresholds)
    except ServiceUnreachable as error:
        return unknown_evidence(champion.version, str(error))


def _spec_of(version: Version, registry: Registry) -> ModelSpec:
    with tempfile.TemporaryDirectory() as folder:
        return ModelSpec.from_json((registry.models.download(version, Path(folder)) / SPEC).read_bytes())
