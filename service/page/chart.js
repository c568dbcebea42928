// Chart: lines and bands over time, drawn by uPlot; zoom, values under the cursor, keyboard, PNG.

import { announce, el, fill, number, refill } from "./dom.js";

export const COLOURS = ["--one", "--two", "--three", "--four", "--five"];
const HELP = "Arrow keys move along the values, + and - zoom, 0 shows all.";
const LARGEST_STEP = 0.2;
const MOST_WIDE = 400;

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// How uPlot writes dates on the axis: month names and 24 hours, which no country reads in another order.
const [YEAR, MONTH, DAY, HOUR, MINUTE] = [31536000, 2419200, 86400, 3600, 60];
const [ON_DAY, IN_YEAR] = ["\n{D} {MMM}", "\n{D} {MMM} {YYYY}"];
const DATES = [
  [YEAR, "{YYYY}", null, null, null, null, null, null, 1],
  [MONTH, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [HOUR, "{HH}:{mm}", IN_YEAR, null, ON_DAY, null, null, null, 1],
  [MINUTE, "{HH}:{mm}", IN_YEAR, null, ON_DAY, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", IN_YEAR, null, ON_DAY, null, null, null, 1],
];

const STAMP = /^(\d{4})(?:-Q(\d)|-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?)?)?)?/;

/** Return the seconds of timestamps, which rise; null where they do not, as in an hour that clocks repeat. */
export function seconds(stamps) {
  const found = new Array(stamps.length);
  for (let at = 0; at < stamps.length; at += 1) {
    const [, year, quarter, month = 3 * (quarter ?? 1) - 2, day = 1, hour = 0, minute = 0, second = 0] = STAMP.exec(stamps[at]) ?? [];
    found[at] = Date.UTC(year, month - 1, day, hour, minute) / 1000 + Number(second);
    if (!(found[at] > (at ? found[at - 1] : -Infinity))) return null;
  }
  return found;
}

/**
 * A chart in a box. `draw` takes {labels, lines: [{label, values, colour, width, dash, points}],
 * bands: [{label, lower, upper, colour, alpha}], view: [first, last], title}; all values are lists as long as `labels`.
 */
export class Chart {
  constructor(box, description) {
    this.stage = el("div", { class: "stage", tabindex: "0", role: "application", "aria-roledescription": "chart", "aria-label": description, "aria-description": HELP });
    this.tip = el("div", { class: "tip", hidden: true });
    fill(box, this.stage);
    this.stage.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.stage);
    document.addEventListener("theme", () => this.last && this.draw(this.last));
  }

  size() {
    return { width: Math.max(200, this.stage.clientWidth), height: Math.max(160, this.stage.clientHeight) };
  }

  clear(text) {
    this.last = null;
    this.plot?.destroy();
    this.plot = null;
    fill(this.stage, el("p", { class: "empty" }, text));
  }

  draw(chart) {
    const keep = this.last === chart && this.plot ? [this.plot.scales.x.min, this.plot.scales.x.max] : null;
    this.last = chart;
    this.plot?.destroy();
    this.plot = null;
    if (typeof uPlot === "undefined") {
      fill(this.stage, el("p", { class: "empty" }, "The charting library is missing: `pip install youplot==1.0.0` in the service's environment. The numbers are in the table below."));
      return;
    }
    const times = chart.dated === false ? null : seconds(chart.labels);
    this.xs = times ?? chart.labels.map((_, at) => at);
    const built = series(chart);
    fill(this.stage);
    this.plot = new uPlot(this.options(chart, built, times !== null), [this.xs, ...built.data], this.stage);
    this.stage.append(this.tip);
    this.home = chart.view ? [this.xs[Math.max(0, chart.view[0])], this.xs[Math.min(this.xs.length - 1, chart.view[1])]] : this.ends();
    this.zoom(keep ?? this.home);
  }

  options(chart, built, dated) {
    const muted = style("--muted");
    const grid = { stroke: style("--line"), width: 1 };
    const axis = { stroke: muted, grid, ticks: { ...grid, size: 5 }, font: "12px system-ui, sans-serif" };
    const labels = (_, splits) => splits.map((at) => (Number.isInteger(at) ? chart.labels[at] ?? "" : ""));
    return {
      ...this.size(),
      series: [{}, ...built.series],
      bands: built.bands,
      scales: { x: { time: dated } },
      axes: [
        dated ? { ...axis, space: 70, values: DATES } : { ...axis, size: 34, values: labels, incrs: [1, 2, 5, 10, 12, 20, 24, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000], space: 80 },
        { ...axis, size: (_, values) => 18 + 7.2 * Math.max(3, ...(values ?? [""]).map((one) => (one ?? "").length)), values: (_, splits) => splits.map(number) },
      ],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, setScale: true }, points: { size: 7 }, focus: { prox: -1 } },
      padding: [14, 14, 0, 0],
      hooks: { setCursor: [(plot) => this.point(plot)] },
    };
  }

  /** Show the values under the cursor. */
  point(plot) {
    const { idx, left } = plot.cursor;
    const isOver = idx !== null && idx !== undefined && left >= 0;
    const rows = isOver ? this.values(idx) : [];
    this.tip.hidden = !rows.length;
    if (!rows.length) return;
    refill(this.tip, [this.last.labels[idx], rows], () => [el("strong", {}, this.last.labels[idx]), rows.map(([label, text, colour]) =>
      el("div", {}, el("span", { class: `swatch ${colour ? colour.slice(2) : ""}` }), `${label} `, el("b", {}, text)))]);
    const over = left + plot.bbox.left / devicePixelRatio;
    this.tip.classList.toggle("flip", over > plot.width / 2);
    this.tip.style.left = `${over}px`;
  }

  /** Return what is known at a place as label, text and colour. */
  values(at) {
    const found = [];
    for (const line of this.last.lines) {
      const value = line.values[at];
      if (value === null || value === undefined) continue;
      const band = this.last.bands.find((one) => one.of === line.label && one.named);
      const sides = band && band.lower[at] !== null && band.lower[at] !== undefined ? ` (${number(band.lower[at])} to ${number(band.upper[at])})` : "";
      found.push([line.label, `${number(value)}${sides}`, line.colour]);
    }
    return found;
  }

  ends() {
    return [this.xs[0], this.xs[this.xs.length - 1]];
  }

  zoom([from, to]) {
    if (!this.plot) return;
    const [first, last] = this.ends();
    const [min, max] = [Math.max(first, from), Math.min(last, to)];
    this.plot.setScale("x", max > min ? { min, max } : { min: min - 1, max: max + 1 });
  }

  /** Zoom by a factor around the middle. */
  scale(factor) {
    if (!this.plot) return;
    const { min, max } = this.plot.scales.x;
    const half = ((max - min) * factor) / 2;
    const middle = (min + max) / 2;
    this.zoom([middle - half, middle + half]);
  }

  press(event) {
    if (!this.plot) return;
    const { idx } = this.plot.cursor;
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    const { min, max } = this.plot.scales.x;
    const [from, to] = [this.plot.valToIdx(min), this.plot.valToIdx(max)];
    if (event.key in steps) {
      const at = idx === null || idx === undefined ? to : Math.min(to, Math.max(from, idx + steps[event.key]));
      this.plot.setCursor({ left: this.plot.valToPos(this.xs[at], "x"), top: 10 });
      announce(`${this.last.labels[at]}: ${this.values(at).map(([label, text]) => `${label} ${text}`).join(", ") || "no value"}`);
    } else if (event.key === "+" || event.key === "=") this.scale(1 - 2 * LARGEST_STEP);
    else if (event.key === "-") this.scale(1 / (1 - 2 * LARGEST_STEP));
    else if (event.key === "0") this.zoom(this.ends());
    else return;
    event.preventDefault();
  }

  /** Return the picture as a PNG blob, with its title and the names of its lines. */
  picture() {
    const from = this.plot.ctx.canvas;
    const ratio = devicePixelRatio || 1;
    const top = 46 * ratio;
    const canvas = el("canvas", { width: from.width, height: from.height + top });
    const pen = canvas.getContext("2d");
    pen.fillStyle = style("--surface");
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(from, 0, top);
    pen.fillStyle = style("--text");
    pen.font = `600 ${14 * ratio}px system-ui, sans-serif`;
    pen.fillText(this.last.title, 14 * ratio, 20 * ratio, canvas.width - 28 * ratio);
    pen.font = `${12 * ratio}px system-ui, sans-serif`;
    let left = 14 * ratio;
    for (const line of this.last.lines) {
      pen.fillStyle = style(line.colour);
      pen.fillRect(left, 32 * ratio, 14 * ratio, 3 * ratio);
      pen.fillStyle = style("--muted");
      pen.fillText(line.label, left + 19 * ratio, 38 * ratio);
      left += pen.measureText(line.label).width + 38 * ratio;
    }
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }
}

/** Return lines and bands as uPlot's series, bands and data. */
function series(chart) {
  const made = { series: [], bands: [], data: [] };
  for (const band of chart.bands) {
    const at = made.series.length + 1;
    const hidden = { stroke: null, width: 0, points: { show: false } };
    made.series.push({ ...hidden, paths: path(band.upper, 0) }, { ...hidden, paths: path(band.lower, 0) });
    made.data.push(band.upper, band.lower);
    made.bands.push({ series: [at, at + 1], fill: translucent(style(band.colour), band.alpha) });
  }
  for (const line of chart.lines) {
    const stroke = style(line.colour);
    made.series.push({
      label: line.label, stroke, dash: line.dash, paths: path(line.values, line.width ?? 2),
      points: { show: line.points ?? false, filter: line.points ? undefined : alone(line.values), size: 4, fill: stroke, stroke },
    });
    made.data.push(line.values);
  }
  return made;
}

/** Return what draws values between the first and the last that is known, and as a hairline where many are in view: a canvas draws no other line of thousands of pieces fast. */
function path(values, width) {
  const isKnown = (value) => value !== null && value !== undefined;
  const [from, to] = [values.findIndex(isKnown), values.findLastIndex(isKnown)];
  const linear = uPlot.paths.linear();
  return (plot, at, first, last) => {
    const [start, end] = [Math.max(first, from), Math.min(last, to)];
    plot.series[at].width = end - start > MOST_WIDE ? Math.min(width, 1 / devicePixelRatio) : width;
    return start <= end && to >= 0 ? linear(plot, at, start, end) : null;
  };
}

/** Return uPlot's filter for the values between two gaps in view: a line does not show them. */
function alone(values) {
  const isGap = (at) => values[at] === null || values[at] === undefined;
  const places = [];
  for (let at = 0; at < values.length; at += 1) if (!isGap(at) && isGap(at - 1) && isGap(at + 1)) places.push(at);
  return (plot) => {
    const [first, last] = plot.series[0].idxs;
    const seen = places.filter((at) => at >= first && at <= last);
    return seen.length ? seen : null;
  };
}

function translucent(colour, alpha) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}

/** Return the names of lines with their colours. */
export function legend(lines) {
  return el("ul", { class: "legend" }, lines.map((line) => el("li", {}, el("span", { class: `swatch ${line.colour.slice(2)}${line.dash ? " dashed" : ""}` }), line.label)));
}
