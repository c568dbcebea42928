"""The section `Measured` of docs/scale.md and its picture, made of docs/scale.json and of nothing else."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TITLE = "Measured"
WANTED = 0.8
MANY = 10_000_000
MINUTE, HOUR = 60, 3_600
MOST_TRAINED = 100_000


def write_page(results: Mapping[str, Any], docs: Path) -> None:
    """Write the picture, and the section into docs/scale.md."""
    draw(results, docs / "scale.png")
    page = docs / "scale.md"
    text = page.read_text(encoding="utf-8")
    section = f"## {TITLE}\n\n{render(results)}"
    found = re.search(rf"## {TITLE}\n.*?(?=\n## |\Z)", text, re.DOTALL)
    text = f"{text[: found.start()]}{section}{text[found.end() :]}" if found else f"{text.rstrip()}\n\n{section}"
    page.write_text(text, encoding="utf-8")


def render(results: Mapping[str, Any]) -> str:
    """Return the section."""
    loads = [load for one in results.values() for load in one["load"]]
    dates = sorted({one["measured"] for one in results.values()})
    machines = sorted({one["machine"] for one in results.values()})
    lines = [
        (
            "`make bench-scale` writes this section. The series are windows of 60 months of the real ones in the Tourism set, in "
            "other units; 12 steps by the starter. Seconds are those of the processor, over all processes: "
            f"the load of the machine was {min(loads):.0f} to {max(loads):.0f} (measured {', '.join(dates)}; {', '.join(machines)})."
        ),
        "",
        "![What work costs as it grows](scale.png)",
        "",
        *_share(results.get("share")),
        *_engines(results.get("engines")),
        *_many(results),
        *_curves(results),
    ]
    return "\n".join(lines) + "\n"


def _share(part: Mapping[str, Any] | None) -> list[str]:
    if part is None:
        return ["- **Share of onnxruntime**: not measured.", ""]
    rounds = part["found"]["rounds"]
    shares = sorted(one[0] for one in rounds)
    alone, whole = (min(one[at] for one in rounds) for at in (1, 2))
    middle = shares[len(shares) // 2]
    judged = "reached" if middle >= WANTED else "not reached"
    return [
        (
            f"- **Share of onnxruntime**: {middle:.0%} of a worker's seconds, {shares[0]:.0%} to {shares[-1]:.0%} in {len(rounds)} "
            f"rounds over {part['found']['series']} series: the same contexts through the session alone, part by part in turns with the "
            f"whole work. The bar of {WANTED:.0%} is {judged}. {alone:.0f} µs a series alone, {whole:.0f} µs for all (the least of "
            "the rounds)."
        )
    ]


def _engines(part: Mapping[str, Any] | None) -> list[str]:
    if part is None:
        return ["- **Both engines**: not measured.", ""]
    found = part["found"]
    local, ray = found["local"], found["ray"]
    same = "the same files, byte for byte" if found["same"] else "DIFFERENT FILES"
    rest = ray["processor_seconds"] - local["processor_seconds"]
    return [
        (
            f"- **Both engines** wrote {same}, from {local['series']:,} series with two workers. Local: "
            f"{local['processor_seconds']:.0f} s ({1e6 * local['processor_seconds'] / local['series']:.0f} µs a series), {local['seconds']:.0f} s "
            f"on the clock. Ray: {ray['processor_seconds']:.0f} s, {ray['seconds']:.0f} s on the clock: its overhead is {rest:.0f} s, "
            f"{rest / local['processor_seconds']:+.0%}, of which its own processes take a part as long as the run lasts."
        ),
        (
            f"- **Memory** at its peak: {local['worker_megabytes']:.0f} MB in a local worker and {local['main_megabytes']:.0f} MB in the main "
            f"process; {ray['worker_megabytes']:.0f} MB and {ray['main_megabytes']:.0f} MB with Ray, whose shared memory counts in each."
        ),
    ]


def _many(results: Mapping[str, Any]) -> list[str]:
    """Return the estimate on paper for ten million series."""
    if "engines" not in results:
        return []
    local, ray = (results["engines"]["found"][name] for name in ("local", "ray"))
    more = MANY / local["series"]
    whole, dearer = more * local["processor_seconds"], more * ray["processor_seconds"]
    found = results["engines"]["found"].get("find_parts")
    alone = more * found if found else 0.0
    hours = {cores: _hours(whole, alone, cores) for cores in (1, 2, 16)} | {64: _hours(dearer, alone, 64)}
    finding = (
        f"of which finding the parts, in one process before the others begin, takes {alone / MINUTE:.1f} minutes"
        if found
        else "finding the parts, which one process does before the others begin, was not measured alone and is divided like the rest"
    )
    return [
        (
            f"- **{MANY:,} series, on paper**: {hours[1]:.1f} hours of one core like these; {finding}. Two cores need {hours[2]:.1f} hours, a "
            f"machine of 16 cores {60 * hours[16]:.0f} minutes, four of them with Ray {60 * hours[64]:.0f} minutes, as long as the storage "
            f"delivers. Finding the parts keeps 16 bytes a series in the main process, {16 * MANY / 1e6:.0f} MB; a worker's memory does not grow."
        )
    ]


def _hours(whole: float, alone: float, cores: int) -> float:
    """Return the hours on so many cores of work of so many processor seconds, a part of which one core does alone."""
    return (alone + (whole - alone) / cores) / HOUR


def _curves(results: Mapping[str, Any]) -> list[str]:
    lines = []
    if "training" in results:
        found = results["training"]["found"]
        some = ", ".join(f"{int(count):,} series {seconds:.0f} s" for count, seconds in found.items())
        more = "" if max(map(int, found)) >= MOST_TRAINED else f" Up to {MOST_TRAINED:,} series: not measured yet."
        lines.append(f"- **Training** (one LSTM, 100 steps, with start, reading and calibration): {some}.{more}")
    if "serving" in results:
        found = results["serving"]["found"]
        some = "; ".join(
            f"{count}: {cost:.0f} µs a request, {rate:.0f} requests/s" for count, (cost, rate) in found.items()
        )
        lines.append(f"- **Serving**, by replicas, the clients on the same two cores: {some}.")
    if "accuracy" in results:
        found = results["accuracy"]["found"]
        some = "; ".join(
            f"{int(n):,} scores {one['step']:.0f} ms by step, {one['series']:.0f} ms by series"
            for n, one in found.items()
        )
        lines.append(f"- **`GET /accuracy`** (SQLite, a thousand series): {some}.")
    missing = [name for name in ("training", "serving", "accuracy") if name not in results]
    return [*lines, *([f"- Not measured yet: {', '.join(missing)}."] if missing else [])]


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Draw the curves as small multiples."""
    from matplotlib.figure import Figure

    panels = [*_panels(results)]
    figure = Figure(figsize=(4.2 * max(len(panels), 1), 3.4), layout="constrained")
    for axes, (title, across, up, lines) in zip(
        figure.subplots(1, max(len(panels), 1), squeeze=False)[0], panels, strict=False
    ):
        for name, (x, y) in lines.items():
            axes.plot(x, y, marker="o", label=name)
        axes.set(title=title, xlabel=across, ylabel=up)
        if across == "replicas":
            axes.set(xticks=next(iter(lines.values()))[0], ylim=(0, None))
        else:
            axes.set(xscale="log", yscale="log")
        if len(lines) > 1:
            axes.legend(frameon=False)
        axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=130)


Line = tuple[Sequence[float], Sequence[float]]


def _panels(results: Mapping[str, Any]) -> list[tuple[str, str, str, dict[str, Line]]]:
    """Return title, axes and lines of each panel that is measured."""
    found = {name: one["found"] for name, one in results.items()}
    panels: list[tuple[str, str, str, dict[str, Line]]] = []
    if "rows" in found:
        runs = [*found["rows"].values(), *([found["engines"]["local"]] if "engines" in found else [])]
        line = ([60 * one["series"] for one in runs], [one["processor_seconds"] for one in runs])
        panels.append(("Scoring", "rows", "processor seconds", {"local": line}))
    if "training" in found:
        line = ([*map(int, found["training"])], [*found["training"].values()])
        panels.append(("Training, 100 steps", "series", "processor seconds", {"lstm": line}))
    if "serving" in found:
        line = ([*map(int, found["serving"])], [rate for _, rate in found["serving"].values()])
        panels.append(("Serving", "replicas", "requests a second", {"forecast": line}))
    if "accuracy" in found:
        x = [*map(int, found["accuracy"])]
        by: dict[str, Line] = {
            f"by {key}": (x, [one[key] for one in found["accuracy"].values()]) for key in ("step", "series")
        }
        panels.append(("GET /accuracy", "scores", "processor milliseconds", by))
    return panels
