"""Training configuration: what a comparison is asked to do, typed, frozen, read once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass as plain_dataclass
from dataclasses import field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool
from pydantic.dataclasses import dataclass

from models.calendar.holidays import check_countries, country_codes
from models.calendar.timestamps import load_timezone
from models.covariates import CovariateNames
from models.errors import AlmanacError, ConfigInvalid, DataInvalid
from models.jobs.setting_bounds import check_bounds
from models.names import RULE, is_name
from models.names import STARTER as SHIPPED
from models.tables.numbers import NumberStyle
from models.tables.options import ReadOptions
from training.config.config_errors import STRICT, Count, check_choice, check_names, config_errors
from training.config.fit import FitConfig
from training.config.retrain import RetrainConfig
from training.config.toml import SERVICE

ARCHITECTURES = ("lstm", "gru", "simple_rnn", "wavenet")
STARTER, STARTER_TUNED, AUTO, WARM_START = SHIPPED, "starter_tuned", "auto", "warm_start"
CANDIDATES = (*ARCHITECTURES, STARTER, STARTER_TUNED, AUTO, WARM_START)
"""What a comparison can be of: networks trained from nothing, the shipped starter as it is and tuned, `auto`, which is
whichever of these, or average of some, errs least on the validation origins, and the name's champion tuned on the data."""

DEFAULT = (STARTER, STARTER_TUNED, "lstm", "wavenet")
"""Candidates if none are named: the starter, which needs no data to learn from, and two networks that err differently."""

ONCE = frozenset({STARTER, WARM_START})
"""Candidates that are made once: no seed is in the starter, and a champion's weights are what they are."""

BASELINES = ("seasonal_naive", "climatology", "auto_ets", "auto_theta")
ENSEMBLE = "ensemble"
"""The candidate that is made of all others."""


@dataclass(frozen=True, slots=True, config=STRICT)
class Columns:
    """How the columns of a file are named and written; None finds it out.

    Attributes:
        id: Column of a long file with the series ids; several, as a list or separated by commas, name a series together.
        time: Column with the timestamps.
        value: Column of a long file with the values.
        decimal: What separates decimals: `.` or `,`.
        thousands: What separates thousands: `,`, `.`, a space or an apostrophe.
        date_format: How dates are written, as for `strptime`, such as `%d/%m/%Y`.
        timezone: IANA name of the timezone of times without an offset.
        sheet: Sheet of a workbook.

    Raises:
        ConfigInvalid: If a value is of the wrong type, or the timezone is unknown.
    """

    id: str | tuple[str, ...] | None = None
    time: str | None = None
    value: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    date_format: str | None = None
    timezone: str | None = None
    sheet: str | None = None

    _errors = config_errors("columns")

    def __post_init__(self) -> None:
        """Refuse signs and a timezone that cannot be."""
        try:
            NumberStyle(self.decimal, self.thousands)
            if self.timezone is not None:
                load_timezone(self.timezone)
        except AlmanacError as error:
            raise ConfigInvalid(error.detail, hint=error.hint) from error

    @property
    def options(self) -> ReadOptions:
        """How to read a file."""
        ids = (self.id,) if isinstance(self.id, str) else self.id or ()
        return ReadOptions(ids, self.time, self.value, self.decimal, self.thousands, self.date_format, self.sheet)


@plain_dataclass(frozen=True, slots=True)
class Contender:
    """One network of a comparison.

    Attributes:
        name: What its figures are called: the architecture, and where there are several seeds `architecture/seed`; the
            starter and the warm start, which are made once, have no seed in their names.
        architecture: What it is built as.
        seed: Of its weights and windows.
    """

    name: str
    architecture: str
    seed: int


@dataclass(frozen=True, slots=True, config=STRICT)
class TrainConfig:
    """One comparison: which data, which candidates, how fitted and how promoted.

    Attributes:
        data: CSV or Parquet file, or `service` for the observations that a running service holds.
        horizon: Steps to forecast.
        name: Registered name of the winner; the file's stem where none is given.
        frequency: Any alias or word of `models.calendar.zoned_grid`, or None to infer it from the data.
        architecture: Candidates, in the order they are trained; the default ones without starters if `fit.shape` is another
            than theirs.
        seed: Seed of every random choice; the first one where there are several.
        seeds: Networks of each architecture, their seeds counted up from the first.
        pick: Candidate to register whatever validation says: an architecture (of several seeds the best one), a name
            such as `lstm/1`, or `ensemble`; "" registers validation's winner.
        baselines: What candidates are compared with; `seasonal_naive` is always among them, since skill is measured by it.
        baseline_series: Series that AutoETS and AutoTheta are fitted to; None takes as many as a minute on two cores allows.
        refit: Whether the winner is trained again on all data, held-out block included, before it is registered.
        promote: Whether the winner takes the champion alias whatever the paired test says.
        unit: Unit of the values, for the figures' axes.
        past_covariates: Columns of a long file known up to the last value.
        future_covariates: Columns of a long file known over the horizon too.
        holidays: Countries whose public holidays are counted from the dates, such as `DE`.
        columns: Names of the columns of a long file.
        missing: What a date without a row means: `gap`, nothing is known, or `zero`, such as a day without sales.
        fit: How each network is fitted.
        retrain: When the model is trained again, and how its challengers are made.

    Raises:
        ConfigInvalid: If a value is of the wrong type or out of range.
    """

    data: Path
    horizon: Count
    name: str = ""
    frequency: str | None = None
    architecture: tuple[str, ...] = DEFAULT
    seed: Annotated[int, Field(strict=True, ge=0)] = 0
    seeds: Count = 1
    pick: str = ""
    baselines: tuple[str, ...] = BASELINES
    baseline_series: Count | None = None
    refit: StrictBool = True
    promote: StrictBool = False
    unit: str = ""
    past_covariates: tuple[str, ...] = ()
    future_covariates: tuple[str, ...] = ()
    holidays: tuple[str, ...] = ()
    columns: Columns = field(default_factory=Columns)
    missing: Literal["gap", "zero"] = "gap"
    fit: FitConfig = field(default_factory=FitConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)

    _errors = config_errors("")

    def __post_init__(self) -> None:
        numbers = {item.name: getattr(self, item.name) for item in fields(self)}
        check_bounds({**numbers, "fit": {item.name: getattr(self.fit, item.name) for item in fields(self.fit)}})
        if not self.name and str(self.data) == SERVICE:
            raise ConfigInvalid(
                "A model that is trained on the service's observations needs a name.", hint="Give a name."
            )
        object.__setattr__(self, "name", self.name or self.data.stem)
        check_name("model", self.name)
        if self.architecture is DEFAULT and self.fit.shape != "many_to_many":
            object.__setattr__(self, "architecture", tuple(one for one in DEFAULT if one in ARCHITECTURES))
        check_names("architecture", self.architecture, CANDIDATES)
        check_names("baseline", self.baselines, BASELINES)
        object.__setattr__(self, "baselines", tuple(dict.fromkeys((BASELINES[0], *self.baselines))))
        if self.fit.shape == "one_to_one" and self.horizon != 1:
            raise ConfigInvalid(
                f"fit.shape one_to_one has a horizon of 1. Received: {self.horizon}.",
                hint="Use another shape, such as many_to_many, or horizon 1.",
            )
        if self.fit.shape != "many_to_many" and {STARTER, STARTER_TUNED} & {*self.architecture}:
            raise ConfigInvalid(
                f"A starter has the shape many_to_many. Received: fit.shape {self.fit.shape!r}.",
                hint="Leave fit.shape as it is, or the starters out.",
            )
        if self.pick:
            self._check_pick()
        object.__setattr__(self, "holidays", country_codes(self.holidays))
        check_countries(self.holidays)
        if self.covariates and self.fit.synthetic_share:
            raise ConfigInvalid(
                f"Synthetic windows have no covariates. Received: fit.synthetic_share {self.fit.synthetic_share}.",
                hint="Set fit.synthetic_share = 0, or leave the covariates out.",
            )

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Every network to train, in order."""
        return tuple(
            Contender(f"{one}/{seed}" if self.seeds > 1 and one not in ONCE else one, one, seed)
            for one, seed in each_seed(self.architecture, self.seed, self.seeds)
        )

    @property
    def first_network(self) -> str:
        """The first candidate that is trained from nothing, an LSTM without any: a search for settings tries networks alone."""
        return next((one for one in self.architecture if one in ARCHITECTURES), ARCHITECTURES[0])

    @property
    def covariates(self) -> CovariateNames:
        """Which covariates a network reads."""
        return CovariateNames.make(self.past_covariates, self.future_covariates, self.holidays)

    def _check_pick(self) -> None:
        """Refuse what is not a candidate, and an ensemble of one network; raises ConfigInvalid."""
        names = self._pickable()
        if self.pick == ENSEMBLE and ENSEMBLE not in names:
            there = f"is one: {self._joining[0]}" if self._joining else f"is none, since {AUTO} joins no other average"
            raise ConfigInvalid(
                f"pick {ENSEMBLE!r} needs two networks or more; there {there}.",
                hint="Give --seeds 2 or more, or another --architecture beside it.",
            )
        check_choice("pick", self.pick, names)

    def _pickable(self) -> tuple[str, ...]:
        """Return the names that `pick` may have: two networks or more make an ensemble too."""
        names = tuple(one.name for one in self.contenders)
        return (*dict.fromkeys((*self.architecture, *names)), *((ENSEMBLE,) if len(self._joining) > 1 else ()))

    @property
    def _joining(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.contenders if one.architecture != AUTO)


def each_seed(architectures: Iterable[str], first: int, seeds: int) -> list[tuple[str, int]]:
    """Return the architecture and seed of each candidate, in order; some are made once, whatever the seeds."""
    return [(one, seed) for one in architectures for seed in range(first, first + (seeds if one not in ONCE else 1))]


def train_config(settings: Mapping[str, Any]) -> TrainConfig:
    """Return the typed configuration of merged settings.

    Raises:
        ConfigInvalid: If a key is unknown (with near matches), missing, of the wrong type or out of range.
    """
    return TrainConfig(**settings)


def require_file(path: Path) -> None:
    """Refuse a data file that is none or is empty, before anything that takes time; raises DataInvalid."""
    if not path.is_file():
        raise DataInvalid(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}.", hint="Check the path.")
    if path.stat().st_size == 0:
        raise DataInvalid(f"{path}: is empty.", hint="Give a file with a header and at least one row.")


def check_name(what: str, name: str, where: str = "with --name") -> None:
    """Refuse a name that cannot name a file or be part of an address.

    Args:
        what: What is named, such as `model`.
        name: As it was given.
        where: Another can be given, such as `with --name`.

    Raises:
        ConfigInvalid: If it is not what `models.names` calls a name.
    """
    if not is_name(name):
        raise ConfigInvalid(f"A {what}'s name has {RULE}. Received: {name[:200]!r}.", hint=f"Give one {where}.")
