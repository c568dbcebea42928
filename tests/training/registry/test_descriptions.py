from training.registry.descriptions import markdown_table, sections_of, with_sections


def test_a_section_replaces_its_older_one_and_keeps_its_place() -> None:
    """A stage that is run again leaves one description; the winner is read first."""
    note = with_sections(with_sections("", {"Data": "a file.", "Scores": "x\n\n| a |"}), {"Winner": "`lstm`"})

    again = with_sections(note, {"Data": "another file."})

    assert list(sections_of(again)) == ["Winner", "Data", "Scores"]
    assert sections_of(again) == {"Winner": "`lstm`", "Data": "another file.", "Scores": "x\n\n| a |"}


def test_what_a_person_wrote_stays() -> None:
    """Above the sections."""
    note = with_sections("My remark.\n\nIt is long.", {"Winner": "`lstm`"})

    assert with_sections(note, {"Winner": "`gru`"}) == "My remark.\n\nIt is long.\n\n**Winner**: `gru`"


def test_a_table_has_three_decimals_and_empty_cells() -> None:
    """A baseline has no validation error."""
    text = markdown_table({"model": ["lstm", "naive"], "MASE": [0.70612, 1.0], "validation": [0.7, None]})

    assert text.splitlines()[2:] == ["| lstm | 0.706 | 0.700 |", "| naive | 1.000 |  |"]
