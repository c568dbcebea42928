"""Forecasts in this process: frames of any kind in, frames of the same kind out, and errors that name the series."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import almanac
from almanac.errors import DataInvalid, LevelInvalid, ModelUnknown, RequestError, SeriesAllMissing, TimestampsDuplicated
from almanac.frames import Columns
from almanac.reading import in_python, read_series
from tests.almanac.conftest import months
from tests.artifacts import make_artifact


def test_the_answer_is_a_long_frame_of_the_same_kind() -> None:
    """With the names of its columns and the type of its timestamps; levels are columns."""
    frame = months("a", "b")

    found = almanac.forecast(frame, 3, levels=[80, 95.5], mean=True).frame

    assert found["unique_id"].tolist() == ["a"] * 3 + ["b"] * 3
    assert found["ds"].dtype == frame["ds"].dtype
    assert found["ds"].iloc[:3].tolist() == list(pd.date_range("2024-01-01", periods=3, freq="MS"))
    assert {"median", "mean", "q0.1", "lower_80", "upper_95.5"} <= set(found.columns)
    assert (found["lower_95.5"] <= found["lower_80"]).all()


def test_polars_gives_polars() -> None:
    """With the same numbers, and other names if they are given."""
    frame = months("a", "b")
    names = {"unique_id": "sku", "ds": "when", "y": "sold"}

    found = almanac.forecast(
        pl.from_pandas(frame.rename(columns=names)), 3, id_col="sku", time_col="when", target_col="sold"
    )

    assert isinstance(found.frame, pl.DataFrame)
    assert found.frame.columns[:3] == ["sku", "when", "median"]
    np.testing.assert_array_equal(found["median"].to_numpy(), almanac.forecast(frame, 3)["median"])


@pytest.mark.parametrize("kind", ["series", "wide", "periods", "index"])
def test_dates_may_be_the_index(kind: str) -> None:
    """Of a Series, of a frame with a column for each series, and of a long frame of one series."""
    long = months("a")
    series = long.set_index("ds")["y"].rename("a")
    data = {
        "series": series,
        "wide": series.to_frame(),
        "periods": series.to_period("M"),
        "index": long.set_index("ds"),
    }[kind]

    found = almanac.forecast(data, 3)

    pd.testing.assert_frame_equal(found.frame, almanac.forecast(long, 3).frame, check_dtype=False)


def test_timestamps_keep_their_timezone() -> None:
    """Steps follow local time."""
    hours = pd.date_range("2024-03-29", periods=48, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"ds": hours, "y": np.arange(48.0) % 24})

    found = almanac.forecast(frame, 2, timezone="Europe/Berlin").frame

    assert found["ds"].dtype == hours.dtype
    assert found["ds"].tolist() == [hours[-1] + pd.Timedelta(hours=step) for step in (1, 2)]


def test_a_series_without_a_forecast_is_an_error_of_its_own() -> None:
    """The others have theirs, and a warning names it."""
    frame = months("a", "b")
    frame.loc[frame["unique_id"] == "b", "y"] = np.nan

    with pytest.warns(almanac.AlmanacWarning, match="1 of 2 series have no forecast.*b: "):
        found = almanac.forecast(frame, 3)

    assert found.ids == ["a"]
    assert isinstance(found.errors["b"], SeriesAllMissing)
    assert found.errors["b"].ids == ("b",)


def test_an_error_of_all_series_is_raised_with_their_ids() -> None:
    """In the type of the tree."""
    frame = months("a", "b")
    frame["ds"] = frame["ds"].iloc[0]

    with pytest.raises(TimestampsDuplicated, match="None of 2 series") as raised:
        almanac.forecast(frame, 3)

    assert raised.value.ids == ("a", "b")


def test_ids_that_are_numbers_are_found_by_number() -> None:
    """In plots, and among errors."""
    frame = pd.concat([months("7"), months("8").assign(y=np.nan)]).astype({"unique_id": int})

    with pytest.warns(almanac.AlmanacWarning):
        found = almanac.forecast(frame, 3)

    assert found.errors[8] is found.errors["8"]  # type: ignore[index]
    assert 8 in found.errors  # type: ignore[comparison-overlap]
    assert found.errors.get("9") is None
    assert found.plot(7).figure.axes[0].get_title("left") == "7"


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a home without models."""
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("change", "options", "error", "words"),
    [
        ({}, {"target_col": "x"}, DataInvalid, "no column 'x'"),
        ({}, {"levels": [100]}, LevelInvalid, "100"),
        ({}, {"levels": "80"}, LevelInvalid, r"levels has '80', .* levels=\[80, 95\]"),
        ({}, {"level": [95]}, TypeError, "no option 'level'. Did you mean 'levels'"),
        ({}, {"bogus": 1}, TypeError, "no option 'bogus'. The options are .*levels, quantiles"),
        ({}, {"id_col": ["unique_id", "x"]}, DataInvalid, "no column 'x'"),
        ({"z": 1.5}, {"id_col": ["unique_id", "z"]}, DataInvalid, "1.5.* is not an id.*id_col="),
        ({"ds": "x"}, {"date_format": "%Y"}, almanac.AlmanacError, "form %Y. See date_format="),
        ({"y": "x"}, {}, almanac.AlmanacError, "'x' is not a number"),
        ({"z": 1.0, "y": None}, {"target_col": "ds"}, almanac.AlmanacError, "target_col|time|ds"),
        ({}, {"model": "nothing"}, ModelUnknown, "nothing.*MLFLOW_TRACKING_URI.*Forecaster.*starter"),
        ({}, {"model": 3}, almanac.errors.RequestError, 'The model is a int.*"starter"'),
        ({}, {"model": "./nothing"}, ModelUnknown, "spec.json"),
    ],
)
@pytest.mark.usefixtures("empty_home")
def test_what_is_wrong_with_the_data_or_an_option_is_said(
    change: dict[str, object], options: dict[str, object], error: type[Exception], words: str
) -> None:
    """In the words of Python."""
    with pytest.raises(error, match=words):
        almanac.forecast(months("a").assign(**change), 3, **options)  # type: ignore[arg-type]


NORTH_SOUTH = pd.concat([months("1", "2").assign(area=area) for area in ("north", "so/uth")])


@pytest.mark.parametrize("kind", ["pandas", "polars", "index"])
@pytest.mark.parametrize("columns", [["area", "unique_id"], ("area", "unique_id")])
def test_several_columns_may_be_the_id(kind: str, columns: list[str]) -> None:
    """Joined as by the command line."""
    data = {"pandas": NORTH_SOUTH, "polars": pl.from_pandas(NORTH_SOUTH), "index": NORTH_SOUTH.set_index("ds")}[kind]

    found = almanac.forecast(data, 1, id_col=columns)

    assert found.ids == ["north/1", "north/2", r"so\/uth/1", r"so\/uth/2"]
    assert list(found.frame["unique_id"]) == found.ids


KINDS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "numbers": lambda frame: frame.astype({"unique_id": "int32"}),
    "numbers with gaps": lambda frame: frame.astype({"unique_id": "Int64"}),
    "categories": lambda frame: frame.astype({"unique_id": pd.CategoricalDtype(["2", "1", "3"], ordered=True)}),
    "categories of numbers": lambda frame: frame.astype({"unique_id": "int64"}).astype({"unique_id": "category"}),
    "objects": lambda frame: frame.astype({"unique_id": object}),
    "polars' numbers": lambda frame: pl.from_pandas(frame).cast({"unique_id": pl.UInt8}),
    "polars' categories": lambda frame: pl.from_pandas(frame).cast({"unique_id": pl.Categorical}),
    "polars' enum": lambda frame: pl.from_pandas(frame).cast({"unique_id": pl.Enum(["2", "1"])}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ids_come_back_in_the_type_in_which_they_came(kind: str) -> None:
    """So that the answer can be joined with the data."""
    frame = KINDS[kind](months("1", "2"))

    found = almanac.forecast(frame, 1)

    assert found.ids == ["1", "2"]
    assert found["unique_id"].dtype == frame["unique_id"].dtype
    assert list(found["unique_id"]) == list(dict.fromkeys(frame["unique_id"]))


@pytest.mark.parametrize("names", [["unique_id", "ds"], ["unique_id"]])
def test_ids_and_dates_may_be_levels_of_the_index(names: list[str]) -> None:
    """Of a frame and of a Series, as pivoting and grouping leave them."""
    frame = months("a", "b").set_index(names)

    for data in [frame, *([frame["y"]] if len(names) > 1 else [])]:
        pd.testing.assert_frame_equal(almanac.forecast(data, 1).frame, almanac.forecast(months("a", "b"), 1).frame)


def test_rows_without_an_id_or_a_date_are_errors_of_their_own() -> None:
    """With the row of the frame, counted from 0; the others have forecasts."""
    frame = months("a", "b", "c")
    frame.loc[40, "unique_id"], frame.loc[50, "ds"] = None, pd.NaT

    with pytest.warns(almanac.AlmanacWarning, match="rows without an id: Row 40"):
        found = almanac.forecast(frame, 1)

    assert found.ids == ["a", "c"]
    assert str(found.errors["b"]) == "Row 50: `timestamp` is missing. Fill in or drop the rows without one."


def test_a_level_below_one_is_probably_a_share() -> None:
    """Levels are in per cent."""
    with pytest.warns(almanac.AlmanacWarning, match="Send 80 for 80 %"):
        found = almanac.forecast(months("a"), 1, levels=[0.8, 95])

    assert [one["code"] for one in found.warnings["a"]] == ["LEVEL_BELOW_ONE"]


def test_a_future_that_the_model_does_not_read_is_not_ignored() -> None:
    """As an argument it is an error with the ids, in the frame a warning: the forecast begins after its rows."""
    future = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=2, freq="MS"), "price": 1.0})

    with pytest.raises(almanac.errors.CovariateUnknown, match="future=") as raised:
        almanac.forecast(months("a"), 1, future=future)
    with pytest.warns(almanac.AlmanacWarning, match=r"1 series end in rows without a value \(a\).*price"):
        almanac.forecast(pd.concat([months("a"), future]), 1)

    assert raised.value.ids == ("a",)


def test_numbers_of_numpy_and_single_levels_are_taken() -> None:
    """As those of Python, and as lists of one."""
    numbers = {"paths": np.int64(2), "seed": np.int32(1), "minimum": np.float32(0), "quantiles": np.float64(0.25)}

    found = almanac.forecast(months("a"), np.int64(3), levels=80, **numbers)  # type: ignore[arg-type]

    pd.testing.assert_frame_equal(
        found.frame, almanac.forecast(months("a"), 3, levels=[80], paths=2, seed=1, minimum=0, quantiles=[0.25]).frame
    )


def test_the_hint_of_a_date_that_is_read_in_two_ways_is_python_that_works() -> None:
    """Whichever of the two is chosen."""
    frame = months("a").assign(ds=lambda data: data["ds"].dt.strftime("%d/%m/%Y"))
    with pytest.raises(DataInvalid) as raised:
        almanac.forecast(frame, 1)
    assert "date_format='%d/%m/%Y'" in raised.value.hint

    assert almanac.forecast(frame, 1, date_format="%d/%m/%Y").frame["ds"].tolist() == ["2024-01-01"]


@pytest.mark.parametrize(
    ("option", "parameter"),
    [
        (
            "Give --id-column a,b --time-column t --value-column 'a b'.",
            'Give id_col=["a", "b"], time_col="t", target_col="a b".',
        ),
        ("Name them: --id-column, --time-column.", "Name them: id_col=, time_col=."),
        ("As with --date-format %Y-%m-%d.", "As with date_format='%Y-%m-%d'."),
        ("See `?date_format`.", "See date_format=."),
    ],
)
def test_hints_are_python(option: str, parameter: str) -> None:
    """Whatever they were written for."""
    assert in_python(option) == parameter


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([1.0, 2.0], "pandas or polars"),
        ({"y": [1.0]}, "pandas or polars"),
        (None, "pandas or polars"),
        (pl.LazyFrame({"y": [1.0]}), r"\.collect\(\)"),
        (pd.Series([1.0, 2.0]), "no dates.*DatetimeIndex"),
        (pd.DataFrame([[1.0, 2.0]], columns=["y", "y"]), "column twice"),
        (months("a").set_axis([["x", "x", "x"], ["unique_id", "ds", "y"]], axis=1), "2 levels"),
    ],
)
def test_what_is_no_frame_is_refused(data: object, words: str) -> None:
    """With the remedy."""
    with pytest.raises(DataInvalid, match=words):
        almanac.forecast(data, 3)


@pytest.mark.parametrize("horizon", [0, -1, 1.5, "12", None, True])
def test_a_horizon_is_refused_in_the_words_of_python(horizon: object) -> None:
    """Not with the settings of a service."""
    with pytest.raises(almanac.errors.HorizonInvalid, match="1 or more, such as horizon=12"):
        almanac.forecast(months("a"), horizon)  # type: ignore[arg-type]


def test_a_saved_model_forecasts_its_own_horizon(tmp_path: Path) -> None:
    """And says what it is."""
    model = almanac.load(make_artifact(tmp_path))

    found = model.forecast(months("a"))

    assert model.spec is not None
    assert len(found) == model.spec.horizon
    assert found.model["name"] == model.spec.name


def test_a_plot_shows_history_and_forecast() -> None:
    """A notebook shows it as a picture; an unknown series is an error."""
    found = almanac.forecast(months("a"), 3, levels=[80, 95])

    plot = found.plot("a")

    assert plot._repr_png_().startswith(b"\x89PNG")
    assert [line.get_label() for line in plot.figure.axes[0].lines] == ["observed", "median"]
    with pytest.raises(DataInvalid, match="'b' has no forecast"):
        found.plot("b")


def test_a_frequency_that_is_finer_than_the_dates_is_warned_of() -> None:
    """Most steps would have no value; the frequency of the dates themselves, and gaps among them, are none."""
    found = almanac.forecast(months("a"), horizon=3, frequency="D")
    gappy = almanac.forecast(months("a").drop(index=[5, 6]), horizon=3, frequency="M")

    codes = [one["code"] for one in found.warnings["a"]]
    assert "FREQUENCY_FINER" in codes
    assert "MISSING_OR_ZERO" not in codes
    assert "the timestamps are those of M" in found.warnings["a"][codes.index("FREQUENCY_FINER")]["detail"]
    assert "FREQUENCY_FINER" not in str(gappy.warnings)
    every_second = months("a").assign(ds=pd.date_range("2024-01-01", periods=len(months("a")), freq="2h"))
    assert "FREQUENCY_FINER" in str(almanac.forecast(every_second, horizon=3, frequency="h").warnings)


def test_a_table_of_arrow_is_a_frame() -> None:
    """So is a record batch; the forecasts are a table."""
    table = pa.Table.from_pandas(months("a"), preserve_index=False)

    found = [almanac.forecast(one, horizon=3).frame for one in (table, table.to_batches()[0])]

    assert all(isinstance(one, pa.Table) and one.num_rows == 3 for one in found)


@pytest.mark.parametrize("name", ["", " ", Path()])
def test_a_model_without_a_name_is_refused(name: str | Path) -> None:
    """Whether there is a registry or not."""
    with pytest.raises(RequestError, match="The model's name is empty"):
        almanac.load(name)


def test_rows_after_the_last_value_are_the_future_of_covariates() -> None:
    """Of a covariate that is known ahead; a service leaves such rows out of its own frames."""
    future = pd.DataFrame(
        {"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=2, freq="MS"), "price": [3.0, 4.0]}
    )
    frame = pd.concat([months("a").assign(price=1.0), future])

    (entry,) = read_series(
        frame, Columns.of(None, None, None), fields={}, horizon=2, covariates=((), ("price",))
    ).entries

    assert entry["future_covariates"] == {"price": [3.0, 4.0]}
    assert entry["values"][-1] is not None
