// Results: a history with the forecasts of one or several models, their numbers, errors and downloads.

import { ask, at, key, post, query } from "./api.js";
import { COLOURS, legend, seconds } from "./chart.js";
import { announce, datum, el, failure, fill, measure, number, table } from "./dom.js";
import { notes } from "./findings.js";
import { mase, seasonalNaive } from "./measures.js";

const SHOWN = "80";
const ALPHAS = { 50: 0.26, 80: 0.16, 95: 0.1 };
const LONGEST_LINE = 4000;
const cards = new Map();

/** Return a series as an entry of a request, without its newest `cut` points. */
export function draft(series, cut) {
  const end = Math.max(1, series.points - cut);
  const entry = { id: series.id, values: series.values.slice(0, end) };
  if (series.timestamps) Object.assign(entry, { timestamps: series.timestamps.slice(0, end), frequency: series.frequency });
  if (series.timezone) entry.timezone = series.timezone;
  return entry;
}

/** Return what the card of a model says of its backtest, and its season. */
export async function cardLine(model, frequency) {
  const name = `${at("models", model)}${query({ frequency: model === "starter" ? frequency : null })}`;
  if (!cards.has(name)) cards.set(name, ask(name));
  let card;
  try {
    card = await cards.get(name);
  } catch {
    cards.delete(name);
    return { text: "Its card cannot be read.", season: 1 };
  }
  const { backtest, season_length: season, trained_to: until } = card.spec;
  const own = backtest?.model?.mase;
  if (own === undefined || own === null) return { text: model === "starter" ? "pretrained, so without a backtest on your data" : "no backtest", season, until };
  return { text: `backtest MASE ${measure(own)}, seasonal naive ${measure(backtest.seasonal_naive?.mase)}`, season, until };
}

export class Results {
  constructor(whole) {
    this.whole = whole;
    this.legend = el("div", { class: "legend-box" });
    this.notice = el("div", { class: "notices" });
    this.scores = el("div");
    this.advice = el("p", { class: "muted" });
    this.numbers = el("div");
    this.curl = el("code", { id: "curl" });
    const button = (name, act) => el("button", { type: "button", onclick: act }, name);
    this.element = el("div", { class: "card results", hidden: true },
      this.scores, this.advice,
      el("div", { class: "row" }, button("Download CSV", () => this.saveCsv()), button("Download PNG", () => this.savePng()), button("Copy the curl line", () => this.copy())),
      el("details", { class: "code" }, el("summary", {}, "The same with curl"), el("pre", { tabindex: "0" }, this.curl)),
      el("details", { id: "numbers" }, el("summary", {}, "The numbers as a table"), this.numbers));
  }

  clear() {
    this.shown = null;
    this.element.hidden = true;
    fill(this.legend);
    fill(this.notice);
  }

  fail(error) {
    fill(this.notice, failure(error));
  }

  /** Draw a series before it is forecast. */
  history(series, horizon) {
    this.clear();
    const line = historyLine(series, series.points);
    fill(this.legend, legend([line]));
    const labels = axis(series, 0, null);
    this.chart.draw({ title: series.id, labels, dated: series.timestamps !== null, lines: [line], bands: [], view: newest(series, series.points, horizon) });
  }

  show(shown) {
    this.shown = shown;
    const { series, request, models, answers, held } = shown;
    const good = models.map((model, place) => ({ model, place, answer: answers[place], colour: COLOURS[place % COLOURS.length] })).filter((one) => !(one.answer instanceof Error));
    const bad = answers.filter((one) => one instanceof Error);
    fill(this.notice, bad.map(failure), warnings(good));
    this.good = good;
    if (!good.length) {
      this.history(series, request.horizon);
      fill(this.notice, bad.map(failure));
      return;
    }
    this.plot(series, request, held);
    this.measure(series, request, held);
    this.tabulate(series, request);
    const text = curlLine(request, good[0].model);
    this.curl.textContent = text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)} … (${text.length} characters; copy it with the button)` : text;
    this.element.hidden = false;
    announce(`Forecast of ${series.id}: ${good.map((one) => `${one.model} ${number(one.answer.forecasts[0].median[0])}`).join(", ")} for the first step.`);
  }

  /** Draw the history, and each model's median and intervals over it. */
  plot(series, request, held) {
    const cutoff = request.series[0].values.length;
    const longest = Math.max(...this.good.map((one) => one.answer.forecasts[0].median.length));
    const dated = this.good.find((one) => one.answer.forecasts[0].timestamps)?.answer.forecasts[0].timestamps;
    const labels = axis(series, Math.max(0, cutoff + longest - series.points), dated, cutoff);
    const places = new Map(labels.map((label, place) => [label, place]));
    const spread = (values, stamps) => {
      const found = new Array(labels.length).fill(null);
      values.forEach((value, step) => {
        found[stamps ? places.get(stamps[step]) ?? cutoff + step : cutoff + step] = value;
      });
      return found;
    };
    const lines = [historyLine(series, labels.length)];
    const bands = [];
    for (const { model, colour, answer } of this.good) {
      const one = answer.forecasts[0];
      const levels = this.good.length > 1 ? [SHOWN] : Object.keys(one.intervals).sort((a, b) => b - a);
      for (const level of levels) {
        const { lower, upper } = one.intervals[level];
        bands.push({ of: title(model, answer), named: level === SHOWN, lower: spread(lower, one.timestamps), upper: spread(upper, one.timestamps), colour, alpha: ALPHAS[level] });
      }
      lines.push({ label: title(model, answer), values: spread(one.median, one.timestamps), colour, points: one.median.length < 2 });
    }
    const levels = this.good.length > 1 ? "80 % intervals" : "50, 80 and 95 % intervals";
    fill(this.legend, legend(lines), el("span", { class: "muted" }, `Medians with ${levels}.`));
    const view = newest(series, labels.length, request.horizon);
    this.chart.draw({ title: series.id, labels, dated: series.timestamps !== null, lines, bands, view });
  }

  /** Show the error of each model: of the held-out points, and of its backtest. */
  measure(series, request, held) {
    const { history, target, season, naive: repeated } = this.holdOut(series, request.series[0].values.length);
    const naive = held ? mase(target, repeated, history, season) : null;
    const rows = this.good.map(({ model, place, answer }) => {
      const own = held ? mase(target, answer.forecasts[0].median, history, season) : null;
      return [title(model, answer), ...(held ? [scored(own)] : []), this.shown.cards[place].text];
    });
    fill(this.advice, held ? this.seen(series, request.series[0].values.length) : "Hold the newest points out to see the error on your own data.");
    if (held) rows.push(["seasonal naive", scored(naive), `repeats the last season of ${season} steps`]);
    const head = held ? ["Forecast", `MASE of the ${target.length} held-out points`, "Known before"] : ["Forecast", "Known before"];
    fill(this.scores, table(held ? "Errors of the held-out points" : "Models", head, rows));
  }

  /** Return a warning about the models that were trained on the held-out time, null if none was. */
  seen(series, cutoff) {
    const first = second(series.timestamps?.[cutoff]);
    const names = this.good.filter(({ place }) => second(this.shown.cards[place].until) >= first).map(({ model, answer }) => title(model, answer));
    if (!names.length) return null;
    return `${names.join(" and ")} ${names.length > 1 ? "were" : "was"} trained on data of this time: if these points were among them, the error is too good.`;
  }

  /** Return the history, the held-out values, and what seasonal naive makes of them. */
  holdOut(series, cutoff) {
    const season = Math.max(1, series.season_length ?? this.shown.cards[0]?.season ?? 1);
    const history = series.values.slice(0, cutoff);
    const target = series.values.slice(cutoff);
    return { history, target, season, naive: seasonalNaive(history, target.length, season) };
  }

  tabulate(series, request) {
    const first = this.good[0].answer.forecasts[0];
    const cutoff = request.series[0].values.length;
    const isHeld = cutoff < series.points;
    const levels = Object.keys(first.intervals).sort((a, b) => a - b);
    const several = this.good.length > 1;
    const head = ["Step", ...(isHeld ? ["Observed"] : [])];
    for (const { model, answer } of this.good) {
      const name = several ? `${title(model, answer)} ` : "";
      head.push(`${name}median`, ...levels.flatMap((level) => [`${name}${level} % from`, `${name}${level} % to`]));
    }
    const rows = first.median.map((_, step) => {
      const row = [first.timestamps?.[step] ?? String(step + 1), ...(isHeld ? [series.values[cutoff + step]] : [])];
      for (const { answer } of this.good) {
        const one = answer.forecasts[0];
        row.push(one.median[step], ...levels.flatMap((level) => [one.intervals[level].lower[step], one.intervals[level].upper[step]]));
      }
      return row;
    });
    fill(this.numbers, table("Forecasts by step", head, rows));
  }

  /** Save the forecasts of all series and models as a long CSV file. */
  async saveCsv() {
    const { request, models, found } = this.whole();
    const { held } = this.shown;
    try {
      const answers = await Promise.all(models.map((model) => post("forecast", { ...request, model }, { again: true })));
      const levels = request.levels;
      const lines = [["unique_id", "ds", "model", "median", ...levels.flatMap((level) => [`lower_${level}`, `upper_${level}`]), ...(held ? ["observed", "seasonal_naive"] : [])]];
      const known = new Map(found.map((series, place) => [series.id, held && this.holdOut(series, request.series[place].values.length)]));
      answers.forEach((answer, place) => {
        for (const one of answer.forecasts) {
          const { target, naive } = known.get(one.id) ?? {};
          one.median.forEach((median, step) => lines.push([one.id, one.timestamps?.[step] ?? step + 1, models[place], median,
            ...levels.flatMap((level) => [one.intervals[level].lower[step], one.intervals[level].upper[step]]), ...(held ? [target[step], naive[step]] : [])]));
        }
      });
      save(new Blob([lines.map((line) => line.map(quoted).join(",")).join("\n"), "\n"], { type: "text/csv" }), "forecast.csv");
    } catch (error) {
      this.fail(error);
    }
  }

  async savePng() {
    if (this.chart.plot) save(await this.chart.picture(), "forecast.png");
  }

  async copy() {
    const text = curlLine(this.shown.request, this.good[0].model);
    try {
      await navigator.clipboard.writeText(text);
      announce("The curl line is copied.");
    } catch {
      this.curl.textContent = text;
      this.curl.closest("details").open = true;
    }
  }
}

/** Return the name of an answer: the model, and the version that answered. */
function title(model, answer) {
  return model.includes("/") || model === "starter" ? model : `${model}/${answer.model.version}`;
}

/** Return the second of a timestamp, NaN without one. */
function second(stamp) {
  return stamp ? seconds([stamp])?.[0] ?? NaN : NaN;
}

/** Return an error with three decimals. */
function scored(value) {
  return value === null ? "–" : datum(value, measure(value));
}

function historyLine(series, length) {
  const values = length > series.points ? [...series.values, ...new Array(length - series.points).fill(null)] : series.values;
  return { label: "observed", values, colour: "--history", width: 1.6, points: series.points - series.gaps < 3 };
}

/** Return the labels of the axis: of the series, and of the steps after it. */
function axis(series, more, stamps, cutoff = 0) {
  if (!series.timestamps) return Array.from({ length: series.points + more }, (_, place) => String(place + 1));
  return more > 0 ? [...series.timestamps, ...stamps.slice(series.points - cutoff)] : series.timestamps;
}

/** Return the first and the last place to show at first: some seasons, and all of the forecast. */
function newest(series, length, horizon) {
  const wanted = Math.max(4 * (series.season_length ?? 1), 4 * horizon, 40);
  return [Math.max(0, series.points - wanted), length - 1];
}

function warnings(good) {
  const found = new Map();
  for (const { answer } of good) for (const one of answer.forecasts[0].warnings) found.set(one.detail, one);
  return notes([...found.values()]);
}

function quoted(value) {
  const text = String(value ?? "");
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text; // a spreadsheet would run it
  return /[",\n\r']/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/** Return the line for a terminal that sends the same request; the key is not in it. */
function curlLine(request, model) {
  const body = JSON.stringify({ ...request, model }).replace(/'/g, "'\\''");
  const authorization = key() ? ' -H "X-API-Key: $ALMANAC_API_KEY"' : "";
  return `curl -s ${new URL("forecast", document.baseURI)}${authorization} --json '${body}'`;
}

function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
