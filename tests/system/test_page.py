"""The page at / in a real browser: what people do with it, what protects it, and what a screen reader finds."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Route, expect

from models.accuracy import mase
from models.baselines import seasonal_naive
from models.series import Series
from tests.system.page_inputs import FIVE_MONTHS, HOSTILE, MONTHS, REPEATED_HOUR, STAMPS, VALUES, WRONG_INPUTS
from tests.system.page_service import Open, Served, forecast, paste

pytestmark = pytest.mark.system

VIEWS = ("forecast", "accuracy", "models", "jobs")
STABLE = 0.05
"""Shift of the layout up to which Google calls a page good is 0.1."""


def test_five_months_become_a_forecast_with_the_numbers_of_the_service(served: Served, visit: Open) -> None:
    """Pasted as a list; the layout stays where it is. A first date can be given, and the next paste starts anew."""
    one = visit()
    paste(one.page, str(FIVE_MONTHS))

    shown = forecast(one.page)

    body = {"series": [{"values": FIVE_MONTHS}], "horizon": len(shown["median"]), "levels": [50, 80, 95]}
    answer = served.post("/forecast", {**body, "model": "temperatures", "record": False})["forecasts"][0]
    assert shown["median"] == answer["median"]
    for level, sides in answer["intervals"].items():
        assert (shown[f"{level} % from"], shown[f"{level} % to"]) == (sides["lower"], sides["upper"])
    assert "values have no dates" in one.page.locator("#understood").inner_text()
    assert one.shift() < STABLE
    one.page.fill("#start", "2024-03")
    one.page.select_option("#frequency", "M")
    expect(one.page.locator("#understood")).to_contain_text("monthly (M)")
    for clear in (lambda: one.page.fill("#start", ""), lambda: one.page.select_option("#frequency", "")):
        clear()
        expect(one.page.locator("#understood")).to_contain_text("no dates")
        one.page.fill("#start", "2024-03")
        one.page.select_option("#frequency", "M")
        expect(one.page.locator("#understood")).to_contain_text("monthly (M)")
    paste(one.page, str(FIVE_MONTHS[:4]))
    expect(one.page.locator("#understood")).to_contain_text("Points4")
    expect(one.page.locator("#understood")).to_contain_text("no dates")


def test_a_dropped_file_shows_its_gaps_before_it_is_forecast(visit: Open) -> None:
    """With decimal commas; the curl line and the CSV have what the page shows."""
    one = visit()
    rows = [f"{month};{value}".replace(".", ",") for month, value in zip(MONTHS, VALUES, strict=True)]
    one.drop("sales.csv", "month;sales\n" + "\n".join(rows[:20] + rows[22:]))

    expect(one.page.locator("#understood")).to_contain_text("2 missing dates added as gaps")
    expect(one.page.locator("#understood")).to_contain_text("monthly (M)")
    assert one.page.locator(".results").is_hidden()
    shown = forecast(one.page)
    with one.page.expect_download() as download:
        one.page.get_by_role("button", name="Download CSV").click()
    saved = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert [float(line.split(",")[3]) for line in saved[1:]] == shown["median"]
    curl = one.page.locator("#curl").text_content() or ""
    assert json.loads(curl.partition("--json '")[2].rstrip("'"))["model"] == "temperatures"
    assert "alm_" not in curl


def test_two_models_are_drawn_over_each_other(visit: Open) -> None:
    """Version 2 adds 1 to what version 1 forecasts."""
    one = visit()
    paste(one.page, "month\tsales\n" + "\n".join(f"{at}\t{value}" for at, value in zip(MONTHS, VALUES, strict=True)))
    one.page.get_by_text("2 versions").click()
    one.page.get_by_label("version 2").check()

    shown = forecast(one.page)

    assert np.subtract(shown["temperatures/2 median"], shown["temperatures/1 median"]) == pytest.approx(1)
    assert one.page.locator(".legend li").all_inner_texts() == ["observed", "temperatures/1", "temperatures/2"]


def test_held_out_points_are_compared_with_the_forecast(visit: Open) -> None:
    """The errors are those of models/accuracy.py; the CSV has what was observed and the seasonal naive forecast."""
    one = visit()
    paste(one.page, "month,sales\n" + "\n".join(f"{at},{value}" for at, value in zip(MONTHS, VALUES, strict=True)))
    one.page.check("#held")

    shown = forecast(one.page)

    horizon, history = len(shown["median"]), np.array(VALUES[: -len(shown["median"])])
    assert shown["Observed"] == VALUES[-horizon:]
    naive = seasonal_naive(Series.make(history, start=MONTHS[0], frequency="M"), horizon, 12)
    errors = [mase(np.array(VALUES[-horizon:]), np.array(values), history, 12) for values in (shown["median"], naive)]
    scores = one.page.locator(".results table").first.locator("data")
    assert [float(cell.get_attribute("value") or "") for cell in scores.all()] == pytest.approx(errors)
    with one.page.expect_download() as download:
        one.page.get_by_role("button", name="Download CSV").click()
    saved = np.genfromtxt(download.value.path(), delimiter=",", skip_header=1)[:, -2:]
    assert saved == pytest.approx(np.column_stack([VALUES[-horizon:], naive]))


def test_a_wrong_input_shows_the_words_of_the_service(visit: Open) -> None:
    """What is wrong and what to do; nothing can be forecast."""
    one = visit()
    for text, detail, hint in WRONG_INPUTS:
        one.page.fill("#paste", text)
        expect(one.page.locator("#understood .bad")).to_contain_text(detail)
        expect(one.page.locator("#understood .bad")).to_contain_text(hint)
        expect(one.page.locator("#go")).to_be_disabled()


def test_units_and_blanks_lose_no_row_and_an_empty_box_forecasts_nothing(visit: Open) -> None:
    """Five months with a currency, with a unit, as dates and numbers, and rows of JSON; brackets are refused with their row."""
    one = visit()
    for text in ("€ {}", "${}.50", "{} kg", "2024-0{at} {}"):
        paste(one.page, "\n".join(text.format(value, at=at) for at, value in enumerate(FIVE_MONTHS, 1)))
        expect(one.page.locator("#understood")).to_contain_text("Points5")
    rows = [f'{{"ds": "2024-0{at}", "y": {value}}}' for at, value in enumerate(FIVE_MONTHS, 1)]
    for text, points in ((f"[{', '.join(rows[:4])}]", 4), ("\n".join(rows), 5)):
        paste(one.page, text)
        expect(one.page.locator("#understood")).to_contain_text(f"Points{points}")
    one.page.fill("#paste", "(35)\n40\n38")
    expect(one.page.locator("#understood .bad")).to_contain_text("Row 1: '(35)'")
    one.page.fill("#paste", "")
    expect(one.page.locator("#understood")).to_have_text(re.compile("^Frequency, gaps"))
    expect(one.page.locator("#go")).to_be_disabled()


def test_a_file_that_is_no_table_is_refused_with_what_to_do(visit: Open) -> None:
    """Instead of an error about its bytes."""
    one = visit()
    bad = one.page.locator("#understood .bad")
    for names, text, said in (
        (("a.xlsx",), "PK\x03\x04", "Copy its cells and paste them"),
        (("a.zip",), "PK\x03\x04", "Unpack it"),
        (("a.csv",), "\0\1\2", "neither text nor Parquet"),
        (("a.csv", "b.csv"), "ds,y", "2 files were dropped: a.csv, b.csv"),
    ):
        one.drop(names[0], text, *names[1:])
        expect(bad).to_contain_text(said)


def test_a_busy_service_is_asked_again_and_an_expired_key_for_another(served: Served, visit: Open) -> None:
    """The page says so, waits as long as the service asks, and keeps what was pasted."""
    one = visit()
    refused = iter([(429, "1"), (503, "1"), (401, "")])

    def refuse(route: Route) -> None:
        status, after = next(refused, (0, ""))
        route.fulfill(status=status, headers={"retry-after": after}, body="{}") if status else route.continue_()

    one.page.route("**/forecast", refuse)
    paste(one.page, str(FIVE_MONTHS))
    one.page.click("#go")
    expect(one.page.locator("#waiting")).to_contain_text("busy")

    expect(one.page.locator("#door-error")).to_contain_text("expired")
    one.page.fill("#key", f"{served.keys['admin']}ä")
    one.page.get_by_role("button", name="Open").click()
    expect(one.page.locator("#door-error")).to_contain_text("No key has the character 'ä'")
    one.page.fill("#key", served.keys["admin"])
    one.page.get_by_role("button", name="Open").click()

    expect(one.page.locator("#paste")).to_have_value(str(FIVE_MONTHS))
    assert len(forecast(one.page)["median"]) > 0


def test_the_parameter_of_a_hint_is_applied_by_a_button(visit: Open) -> None:
    """The same rows are read again with it."""
    one = visit()
    one.page.fill("#paste", "date;sales\n01/02/2024;35\n01/03/2024;36\n01/04/2024;39")

    apply = one.page.get_by_role("button", name="Apply date_format=%d/%m/%Y")
    expect(apply).to_be_visible()
    assert one.audit() == []
    apply.click()

    expect(one.page.locator("#understood")).to_contain_text("monthly (M)")


def test_the_key_opens_what_its_scopes_allow(served: Served, visit: Open) -> None:
    """A wrong key opens nothing; the key stays in the tab."""
    one = visit(key=None)
    one.page.fill("#key", "alm_wrong")
    one.page.get_by_role("button", name="Open").click()
    expect(one.page.locator("#door-error")).to_contain_text("unknown")

    one.page.fill("#key", served.keys["forecast"])
    one.page.get_by_role("button", name="Open").click()

    expect(one.page.locator("#go")).to_be_visible()
    assert one.page.locator("nav a:visible").all_inner_texts() == ["Forecast", "Models"]
    assert one.page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
    other = visit(key="erase", ready="text=This key opens no view")
    assert other.page.locator("nav a:visible").count() == 0


def test_hostile_ids_are_only_text(visit: Open) -> None:
    """In each view that shows series."""
    one = visit()
    dialogs: list[str] = []
    one.page.on("dialog", lambda dialog: dialogs.append(dialog.message))

    one.page.select_option("#stored", HOSTILE)
    expect(one.page.locator("#understood")).to_contain_text("66")
    forecast(one.page)
    one.page.goto(f"{one.page.url}#accuracy")

    expect(one.page.locator("#accuracy-series")).to_contain_text(HOSTILE)
    expect(one.page.locator("#accuracy .uplot")).to_have_count(2)
    assert dialogs == []
    assert one.page.locator("main script").count() == 0


def test_models_and_jobs_show_cards_and_reasons(visit: Open) -> None:
    """The card of a version, the schedule, and whether the model would be retrained."""
    one = visit(hash="#models", ready="#models article")
    one.page.locator("summary", has_text="Card").first.click()
    expect(one.page.locator("#models")).to_contain_text("60 steps")
    expect(one.page.locator("#models")).to_contain_text("challenger: version 2")

    one.page.get_by_role("link", name="Jobs").click()
    one.page.get_by_role("button", name="Dry run").click()

    expect(one.page.locator("#jobs")).to_contain_text("would")
    expect(one.page.locator("#jobs table").first.locator("tbody tr").first).to_be_visible()
    expect(one.page.locator("#jobs")).to_contain_text("0 3 1 * * UTC")
    expect(one.page.locator(".job")).to_contain_text("queued")


def test_a_version_is_promoted_and_rolled_back_with_a_reason(visit: Open) -> None:
    """After a question, by an administrator only; what the registry refuses is shown with its hint."""
    assert visit(key="forecast", hash="#models", ready="#models article").page.locator(".moves").count() == 0
    one = visit(hash="#models", ready="#models article")
    models = one.page.locator("#models")

    def move(button: str, word: str, reason: str) -> None:
        models.locator(".moves > summary").click()
        models.get_by_label("Reason").fill(" ")
        expect(models.get_by_role("button", name=button)).to_be_disabled()
        models.get_by_label("Reason").fill(reason)
        models.get_by_role("button", name=button).click()
        models.locator("[role=group]").get_by_role("button", name=word).click()

    move("Promote", "Promote", "Denied.")
    expect(models.get_by_role("alert")).to_contain_text("Ask its owner.")
    assert one.audit() == []
    models.locator(".moves > summary").click()
    move("Promote", "Promote", "Calm.")
    expect(models).to_contain_text("Version 2 of temperatures is champion. It answers now.")
    move("Roll back", "Roll back", "Too high.")
    expect(models).to_contain_text("Version 1 of temperatures is champion. It answers now.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_a_phone_shows_all(visit: Open, scheme: str) -> None:
    """In each view, with a forecast; the colours follow the system, and the button changes them."""
    one = visit(color_scheme=scheme)
    dark = one.background()
    paste(one.page, str(FIVE_MONTHS))
    forecast(one.page)
    one.page.locator("#numbers").evaluate("element => { element.open = true; }")
    for view in VIEWS:
        one.page.goto(f"{one.page.url.partition('#')[0]}#{view}")
        one.page.wait_for_selector(f"#{view}:not([hidden]) .card")
        one.page.set_viewport_size({"width": 360, "height": 740})
        assert one.fails_to_fit() == 0, view
        one.page.set_viewport_size({"width": 1280, "height": 900})
        assert one.audit() == [], view

    one.page.click("#theme")

    assert (dark < 128, one.background() < 128) == (scheme == "dark", scheme == "light")


def test_without_the_charting_library_the_numbers_are_shown(visit: Open) -> None:
    """The page says what is missing. Timestamps of each style have the second of their wall clock."""
    one = visit(missing="**/uplot.js")
    paste(one.page, str(FIVE_MONTHS))

    assert forecast(one.page)["median"]
    assert "charting library is missing" in one.page.locator(".stage").first.inner_text()
    assert one.seconds([*STAMPS]) == [*STAMPS.values()]
    assert one.seconds(REPEATED_HOUR) is None


@pytest.mark.parametrize("series", [1, 200])
def test_fifty_thousand_points_are_drawn(visit: Open, series: int) -> None:
    """As one series and as 200, with a hairline where many are in view; docs/page.md has the times."""
    one = visit()
    each = 50_000 // series
    hours = np.datetime_as_string(np.datetime64("2015-01-01T00:00") + np.arange(each).astype("m8[h]")).tolist()
    rows = [f"s{at},{hour},{at + place % 24}" for at in range(series) for place, hour in enumerate(hours)]

    one.drop("many.csv", "id,ds,y\n" + "\n".join(rows))

    expect(one.page.locator("#understood")).to_contain_text("hourly (h)")
    expect(one.page.locator("#series option")).to_have_count(series)
    assert len(forecast(one.page)["median"]) == 24
    one.page.keyboard.press("Tab")
    assert one.thinnest_stroke("Show all") == pytest.approx(1 if each > 400 else 1.6)
    assert one.page.locator(".uplot canvas").count() == 1
