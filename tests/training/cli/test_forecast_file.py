import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from models.errors import ConfigInvalid, ForecastNotFinite, FrequencyMismatch
from models.series import Series
from tests.training.fakes import make_series, write_csv
from tests.training.registry.publishing import publish
from training.cli.forecast_file import OUTPUTS, FileForecastRequest, FileForecasts, forecast_file, plot, to_dict, write
from training.cli.options import check_output
from training.config.training import Columns
from training.progress import Progress
from training.registry.client import Registry


def ask(registry: Registry, progress: Progress, data: Path, scratch: Path, horizon: int | None = 6) -> FileForecasts:
    """Return forecasts of a file by the newest version of `weather`, registered first."""
    publish(registry, scratch / "model")
    request = FileForecastRequest("weather@challenger", data, horizon, None, Columns(), (80.0, 95.0))
    return forecast_file(registry, request, progress=progress, scratch=scratch / "fetched")


def test_each_series_gets_its_next_steps(
    registry: Registry, progress: Progress, data_file: Path, tmp_path: Path
) -> None:
    """Timestamps go on where the series ended, the seasonal naive repeats last year."""
    found = ask(registry, progress, data_file, tmp_path)

    assert [stamps[0] for stamps in found.stamps] == ["2008-01-01"] * 3
    assert found.forecasts[0].median.tolist() == pytest.approx(found.series[0].values[-12:-6].tolist())


def test_the_trained_horizon_is_the_default(
    registry: Registry, progress: Progress, data_file: Path, tmp_path: Path
) -> None:
    """Without a horizon the model's own is forecast."""
    assert len(ask(registry, progress, data_file, tmp_path, horizon=None).stamps[0]) == 12


def test_outputs_say_the_same(registry: Registry, progress: Progress, data_file: Path, tmp_path: Path) -> None:
    """CSV, Parquet and JSON hold the same forecasts; the plot is a picture."""
    found = ask(registry, progress, data_file, tmp_path)
    for suffix in ("csv", "parquet", "json"):
        write(found, tmp_path / f"f.{suffix}")
    plot(found, tmp_path / "f.png")

    table = pd.read_csv(tmp_path / "f.csv")
    parquet = pd.read_parquet(tmp_path / "f.parquet")
    printed = json.loads((tmp_path / "f.json").read_text())
    assert table["upper_95"].tolist() == pytest.approx(parquet["upper_95"].tolist())
    assert printed["forecasts"][0]["median"] == pytest.approx(table["median"][:6].tolist())
    assert printed == json.loads(json.dumps(to_dict(found)))
    assert (tmp_path / "f.png").stat().st_size > 10_000


def test_series_that_cannot_be_forecast_are_named_and_left_out(
    registry: Registry, progress: Progress, tmp_path: Path
) -> None:
    """A series without newer values does not stop the others."""
    values = [1.0] * 24 + [None] * 72
    silent = Series.make(values, id="silent", start="2000-01-01", frequency="M")
    path = write_csv(tmp_path / "d.csv", [make_series("a"), silent])

    found = ask(registry, progress, path, tmp_path)

    assert [one.id for one in found.series] == ["a"]
    assert "silent is left out" in progress.console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("others", [[], [make_series("a")]])
def test_a_forecast_that_overflows_is_an_error(progress: Progress, tmp_path: Path, others: list[Series]) -> None:
    """As in the service: no file has NaN; the series is left out, or the command ends with an error."""
    large = Series.make([1.7e308, -1.7e308, 1.6e308] * 20, id="large", start="2000-01-01", frequency="M")
    path = write_csv(tmp_path / "d.csv", [large, *others])
    request = FileForecastRequest("starter", path, 6, None, Columns(), (80.0,))
    if not others:
        with pytest.raises(ForecastNotFinite):
            forecast_file(None, request, progress=progress, scratch=tmp_path)
        return

    assert [one.id for one in forecast_file(None, request, progress=progress, scratch=tmp_path).series] == ["a"]
    assert "large is left out: The forecast overflows" in progress.console.file.getvalue()  # type: ignore[attr-defined]


def test_data_of_another_frequency_is_refused(registry: Registry, progress: Progress, tmp_path: Path) -> None:
    """A monthly model does not forecast days."""
    days = pd.DataFrame({"ds": pd.date_range("2020", periods=30, freq="D"), "y": 1.0})
    days.to_csv(tmp_path / "d.csv", index=False)

    with pytest.raises(FrequencyMismatch, match="frequency D"):
        ask(registry, progress, tmp_path / "d.csv", tmp_path)


def test_an_output_of_unknown_kind_is_refused() -> None:
    """The kinds there are stand in the error."""
    with pytest.raises(ConfigInvalid, match=r"\.csv, \.parquet, \.json"):
        check_output("--output", Path("f.xlsx"), OUTPUTS)


def test_a_folder_that_is_not_there_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    """A slip in a path makes no folders; it is named."""
    with pytest.raises(ConfigInvalid, match=r"there is no folder .*nope"):
        check_output("--output", tmp_path / "nope" / "f.csv", OUTPUTS)

    assert list(tmp_path.iterdir()) == []


def test_the_plot_names_the_unit_that_the_training_was_told(
    registry: Registry, progress: Progress, data_file: Path, tmp_path: Path
) -> None:
    """A version remembers its unit, and its axes show it; else they show the column's name. Series can be chosen."""
    found = ask(registry, progress, data_file, tmp_path)
    named = replace(found, version=replace(found.version, unit="km/h"))

    for file, outcome, ids in (("unit.svg", named, ["b"]), ("column.svg", found, [])):
        plot(outcome, tmp_path / file, ids)

    with_unit, without = ((tmp_path / file).read_text() for file in ("unit.svg", "column.svg"))
    assert "<!-- km/h -->" in with_unit
    assert "<!-- y -->" in without
    assert ["<!-- b -->" in with_unit, "<!-- a -->" in with_unit, "<!-- a -->" in without] == [True, False, True]
    with pytest.raises(ConfigInvalid, match="There is no forecast of series 'bb'") as refused:
        plot(found, tmp_path / "f.svg", ["bb"])
    assert "such as b" in str(refused.value.hint)
