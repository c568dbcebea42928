"""A proof writes its own section of the page."""

from pathlib import Path

from tests.prove.figures import record


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    """After two runs there is one section, with the figures of the second."""
    page = tmp_path / "proofs.md"
    page.write_text("# Proofs\n\nWhy.\n", encoding="utf-8")
    record("Soak", "It does not grow.", {"requests": 10}, page)
    record("Fuzz", "It does not break.", {"requests": 20}, page)

    record("Soak", "It does not grow.", {"requests": 30}, page)

    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Proofs\n\nWhy.\n")
    assert text.count("## Soak") == text.count("## Fuzz") == 1
    assert "| requests | 30 |" in text
    assert "| requests | 20 |" in text
    assert "| requests | 10 |" not in text
    assert text.index("## Soak") < text.index("## Fuzz")


def test_a_table_may_have_several_columns(tmp_path: Path) -> None:
    """Each has a name, and a cell in every row."""
    page = tmp_path / "retraining.md"
    page.write_text("# Retraining\n", encoding="utf-8")

    record("Tests", "Two.", {"plain": ("2 %", "95 %")}, page, ("false", "found"))

    text = page.read_text(encoding="utf-8")
    assert " | false | found |\n|---|---|---|\n| plain | 2 % | 95 % |\n" in text
