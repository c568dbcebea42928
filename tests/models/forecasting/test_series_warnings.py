"""Series warnings: one line for each code, which names its series."""

from models.forecasting.series_warnings import SeriesWarnings


def test_a_line_for_each_code_names_its_series() -> None:
    """The text is of the first series; three ids are shown, the others counted, each once."""
    warnings = SeriesWarnings()
    for series in ("north", "south", "west", "east", "south", "far"):
        warnings.add(series, "LEVEL_CHANGED", f"{series} changed.")
    warnings.add("east", "CONTEXT_SHORT", "Short.")
    warnings.add("east", "CONTEXT_SHORT", "Shorter.")

    assert list(warnings.lines()) == [
        "CONTEXT_SHORT: Series 'east': Short.",
        "LEVEL_CHANGED: Series 'north': north changed. Also: 'south', 'west', 2 more.",
    ]
