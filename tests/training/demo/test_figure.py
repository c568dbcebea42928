from training.demo.events import Score, Swap
from training.demo.figure import draw_replay
from training.demo.replay import ReplayPlan, World, months_between
from training.demo.scenario import Replay

PLAN = ReplayPlan(first="2000-01", broken="2000-07", end="2002-01")
MONTHS = months_between("2000-01", "2001-12")
WORLD = World({"a": {month: float(month[5:]) for month in months_between("1998-01", "2002-01")}}, PLAN.broken)


def make_replay(swap: Swap | None) -> Replay:
    """Return a replay of two years with a break in the first and, if there is one, a swap in the second."""
    replay = Replay(PLAN, "temperatures", WORLD, ["a"], request=dict)
    replay.origins["1"] = MONTHS
    replay.scores = [Score(month, "1", 10, 1.0, 2.0, 0.8) for month in MONTHS]
    replay.add("drift", "2000-09", reasons=[{"code": "INPUT_DRIFT"}])
    replay.add("drift", "2000-10", reasons=[{"code": "ERROR_DECAY"}])
    replay.add("kept", "2000-12")
    replay.swap = swap
    if swap is None:
        replay.add("not_recovered", "2001-11", why="")
        return replay
    replay.origins["2"] = [month for month in MONTHS if month >= swap.month]
    replay.scores += [Score(month, "2", 10, 0.5, 2.0, 0.8) for month in replay.origins["2"]]
    replay.add("promoted", swap.month)
    replay.add("recovered", "2001-11", error_before_break=0.7, error_before_swap=3.9, error_after_swap=0.8)
    return replay


def test_old_and_new_version_are_drawn_with_seasonal_naive() -> None:
    """After the swap the old version has a line of its own; break, reasons, jobs and swap are marked."""
    figure = draw_replay(make_replay(Swap("2001-06", "1", "2")), "a")

    labels = figure.axes[1].get_legend_handles_labels()[1]
    assert labels == ["seasonal naive", "version 1, as served", "version 1, for comparison", "version 2, as served"]
    assert len(figure.axes[1].texts) == 5
    assert "0.80" in figure.get_suptitle()


def test_a_replay_without_a_swap_is_drawn() -> None:
    """The title says that it did not recover."""
    figure = draw_replay(make_replay(None), "a")

    assert figure.axes[1].get_legend_handles_labels()[1] == ["seasonal naive", "version 1, as served"]
    assert "not recovered" in figure.get_suptitle()
