"""Pace: how long a network takes to compile on this machine, and how fast it learns."""

from dataclasses import dataclass

from models.networks.learner import Learner
from training.data.augmentation import mixed
from training.data.window_sampling import Dataset
from training.fit.loop import WATCHED_ORIGINS, TrainingSchedule, mean_scaled_error, take_steps

PROBED = 4
"""Steps by which the pace of a network is measured, the first of which compiles it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a network costs on this machine.

    Attributes:
        compile_seconds: Time until the first step and the first forecasts are done.
        steps_per_second: Speed after that.
    """

    compile_seconds: float
    steps_per_second: float

    def steps_in(self, seconds: float) -> int:
        """Return the steps that a compiled network takes in some time."""
        return int(max(seconds, 0.0) * self.steps_per_second)


def measure_pace(learner: Learner, dataset: Dataset, schedule: TrainingSchedule) -> Pace:
    """Return the pace of a learner, which is compiled and takes a few steps; restart it before a trial."""
    began = schedule.clock.spent()
    windows, total = mixed(dataset, learner.recipe.options, schedule.synthetic), schedule.config.schedules[0]
    take_steps(learner, windows, schedule, first=0, count=1, total=total)
    mean_scaled_error(learner, *dataset.origins(WATCHED_ORIGINS))
    compiled = schedule.clock.spent()
    take_steps(learner, windows, schedule, first=1, count=PROBED - 1, total=total)
    seconds = max(schedule.clock.spent() - compiled, 1e-9)
    return Pace(compiled - began, (PROBED - 1) / seconds)
