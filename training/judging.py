"""Judging: whether a champion should be trained again, or a fresh one taken back, asked of registry and service."""

import tempfile
from datetime import datetime
from pathlib import Path

from models import reasons
from models.artifact import SPEC
from models.errors import ModelUnknown, ServiceUnreachable
from models.evidence import Seen, unknown
from models.reasons import Judgement
from models.spec import ModelSpec
from models.thresholds import Thresholds
from training.live import Address, read_live
from training.place import Version
from training.registry import CHAMPION, Registry
from training.retrain_config import RetrainConfig


def judge(name: str, config: RetrainConfig, address: Address | None, registry: Registry, now: datetime) -> Judgement:
    """Return whether a model should be trained again, and why, by what its service has seen of its champion.

    A service that does not answer kills nothing: what it would have told is unknown, and no reason.

    Args:
        name: Registered name.
        config: The thresholds.
        address: Of the service; None where nobody said.
        registry: Where the champion is.
        now: When this is judged.

    Raises:
        RegistryUnreachable: If the registry does not answer.
    """
    at = now.isoformat(timespec="seconds")
    try:
        champion = registry.resolve(f"{name}@{CHAMPION}")
    except ModelUnknown:
        return reasons.judge(name, None, config.thresholds(), at)
    return reasons.judge(name, _seen(champion, config.thresholds(), address, registry), config.thresholds(), at)


def _seen(champion: Version, thresholds: Thresholds, address: Address | None, registry: Registry) -> Seen:
    if address is None:
        return unknown(champion.version, "no service is named; set ALMANAC_SERVICE_URL.")
    try:
        return read_live(address, champion, _spec_of(champion, registry), thresholds)
    except ServiceUnreachable as error:
        return unknown(champion.version, str(error))


def _spec_of(version: Version, registry: Registry) -> ModelSpec:
    with tempfile.TemporaryDirectory() as folder:
        return ModelSpec.from_json((registry.download(version, Path(folder)) / SPEC).read_bytes())
