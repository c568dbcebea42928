"""Story picture: which lines and marks it has."""

from training.demo.events import Score, Swap
from training.demo.figure import draw_story
from training.demo.live_scenario import Listener, Story
from training.demo.replay import Plan, World, months_between

PLAN = Plan(first="2000-01", broken="2000-07", end="2002-01")
MONTHS = months_between("2000-01", "2001-12")
WORLD = World({"a": {month: float(month[5:]) for month in months_between("1998-01", "2002-01")}}, PLAN.broken)


def make_story(swap: Swap | None) -> Story:
    """Return a story of two years, its break in the first, and its swap where there was one in the second."""
    story = Story(PLAN, Listener(lambda _event: None, lambda _job: None))
    story.asked["1"] = MONTHS
    story.scores = [Score(month, "1", 10, 1.0, 2.0, 0.8) for month in MONTHS]
    story.add("drift", "2000-09", reasons=[{"code": "INPUT_DRIFT"}])
    story.add("drift", "2000-10", reasons=[{"code": "ERROR_DECAY"}])
    story.add("kept", "2000-12")
    story.swap = swap
    if swap is None:
        story.add("not_recovered", "2001-11", why="")
        return story
    story.asked["2"] = [month for month in MONTHS if month >= swap.month]
    story.scores += [Score(month, "2", 10, 0.5, 2.0, 0.8) for month in story.asked["2"]]
    story.add("promoted", swap.month)
    story.add("recovered", "2001-11", error_before_break=0.7, error_before_swap=3.9, error_after_swap=0.8)
    return story


def labels(story: Story) -> list[str]:
    """Return what the legend of the lower panel names."""
    figure = draw_story(story, WORLD, "a")
    return figure.axes[1].get_legend_handles_labels()[1]


def test_old_and_new_version_stand_beside_seasonal_naive() -> None:
    """After the swap the old version goes on as a line of its own kind, since it no longer answers."""
    named = labels(make_story(Swap("2001-06", "1", "2")))

    assert named == [
        "seasonal naive",
        "version 1, as served",
        "version 1, asked beside the new one",
        "version 2, as served",
    ]


def test_break_job_and_swap_are_marked_in_both_panels() -> None:
    """Each mark is named, and the break says that it is made."""
    figure = draw_story(make_story(Swap("2001-06", "1", "2")), WORLD, "a")

    texts = [text.get_text() for text in figure.axes[1].texts]
    assert texts == [
        "the season turns\n(this break is made)",
        "inputs drift",
        "errors decay",
        "job: no better\nchallenger",
        "job: challenger promoted,\nservice swaps",
    ]
    assert "0.80 with the new version" in figure.get_suptitle()


def test_a_story_without_a_swap_is_drawn_too() -> None:
    """What went wrong is to be seen as well."""
    story = make_story(None)

    assert labels(story) == ["seasonal naive", "version 1, as served"]
    assert "not recovered" in draw_story(story, WORLD, "a").get_suptitle()
