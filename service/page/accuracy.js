// Accuracy: live errors of served forecasts beside seasonal naive, their coverage, drift, and forecasts against what came.

import { ask, query } from "./api.js";
import { Chart, COLOURS, legend } from "./chart.js";
import { el, failure, fill, intro, measure, number, percent, table } from "./dom.js";

const MOST_FORECASTS = 12;
const BIG_CHANGE = 0.25;
const FEATURES = { level: "level", scale: "spread", gap_share: "share of gaps", season_strength: "strength of the season" };

class AccuracyView {
  constructor(panel, session) {
    this.session = session;
    this.model = el("select", { id: "accuracy-model" });
    this.figures = el("div", { class: "waiting" });
    this.stepsBox = el("div", { class: "chart" });
    this.stepsLegend = el("div", { class: "legend-box" });
    this.steps = new Chart(this.stepsBox, "Error by step");
    this.series = el("select", { id: "accuracy-series" });
    this.which = el("select", { id: "accuracy-forecast" });
    this.cameBox = el("div", { class: "chart" });
    this.cameLegend = el("div", { class: "legend-box" });
    this.came = new Chart(this.cameBox, "Forecasts against what came");
    this.model.addEventListener("change", () => this.load());
    this.series.addEventListener("change", () => this.compare());
    this.which.addEventListener("change", () => this.draw());
    const again = el("button", { type: "button", class: "quiet", onclick: () => this.refresh() }, "Refresh");
    fill(panel, intro("Accuracy", "Each served forecast is scored as soon as its actual values have been posted. MASE 1 is the error of seasonal naive within the history; lower is better."),
      el("div", { class: "card" }, el("div", { class: "bar" }, el("div", { class: "row" }, el("label", { for: "accuracy-model" }, "Model"), this.model), el("div", { class: "row end" }, again)), this.figures),
      el("div", { class: "card" }, el("h2", {}, "Error by step ahead"), this.stepsBox, this.stepsLegend),
      el("div", { class: "card" }, el("div", { class: "bar" }, el("h2", {}, "Forecasts against what came"),
        el("div", { class: "row end" }, el("label", { for: "accuracy-series" }, "Series"), this.series, el("label", { for: "accuracy-forecast" }, "Forecast"), this.which)), this.cameBox, this.cameLegend));
  }

  async refresh() {
    const chosen = this.model.value;
    const answer = await ask("accuracy");
    const names = [...new Set(answer.rows.map((row) => row.model))];
    fill(this.model, el("option", { value: "" }, "all"), names.map((name) => el("option", { value: name }, name)));
    this.model.value = names.includes(chosen) ? chosen : "";
    await this.load();
  }

  async load() {
    try {
      const model = this.model.value;
      const [versions, steps] = await Promise.all([ask(`accuracy${query({ model })}`), ask(`accuracy${query({ model, by: "version,step", limit: 5000 })}`)]);
      this.show(versions);
      this.bySteps(steps.rows);
      await this.listSeries(model);
    } catch (error) {
      fill(this.figures, failure(error));
    }
  }

  show(answer) {
    if (!answer.rows.length) {
      fill(this.figures, el("p", {}, "No forecast has been scored yet."), el("p", { class: "muted" },
        "Forecasts of POST /forecast are stored; post what was observed to POST /observations, with the same ids, and the errors appear here. Forecasts made on this page are not stored."),
      answer.due ? el("p", {}, `${number(answer.due)} forecasts wait to be scored.`) : null);
      return;
    }
    const rows = answer.rows.map((row) => [`${row.model}/${row.version}`, measure(row.mase), measure(row.naive_mase),
      row.skill === null ? "–" : el("span", { class: `tag ${row.skill > 0 ? "good" : "bad"}` }, `${percent(Math.abs(row.skill))} ${row.skill > 0 ? "better" : "worse"}`),
      percent(row.coverage["80"]), percent(row.coverage["95"]), row.scores]);
    fill(this.figures, table("Live errors by version", ["Version", "MASE", "Seasonal naive", "Beside it", "In the 80 % interval", "In the 95 % interval", "Scored steps"], rows),
      this.drift(answer.drift),
      answer.disputed ? el("p", { class: "muted" }, `${number(answer.disputed)} observed forecasts do not count: no stored observation confirms their history.`) : null);
  }

  drift({ errors, inputs }) {
    if (!errors.length && !inputs.length) return el("p", { class: "muted" }, "Drift is shown once a version has a backtest or a hundred inputs.");
    const parts = [el("h3", {}, "Drift")];
    if (errors.length) {
      parts.push(table("Live errors against the backtest", ["Version", "Live MASE", "In its backtest", "Ratio", "Ratio of seasonal naive"],
        errors.map((one) => [`${one.model}/${one.version}`, measure(one.mase), measure(one.backtest_mase), measure(one.ratio), measure(one.naive_ratio)])));
    }
    if (inputs.length) {
      parts.push(table("Inputs against the training data", ["Version", "Feature", "Stability index", "Change", "Inputs"],
        inputs.map((one) => [`${one.model}/${one.version}`, FEATURES[one.feature] ?? one.feature, measure(one.index), one.index > BIG_CHANGE ? el("span", { class: "tag bad" }, "great") : "small", one.inputs])));
    }
    return parts;
  }

  /** Draw the error of each version by step, beside seasonal naive and the backtest. */
  bySteps(rows) {
    const versions = [...new Set(rows.map((row) => `${row.model}/${row.version}`))].slice(0, COLOURS.length);
    if (!versions.length) {
      this.steps.clear("Errors by step appear here.");
      fill(this.stepsLegend);
      return;
    }
    const last = Math.max(...rows.map((row) => row.step));
    const labels = Array.from({ length: last }, (_, at) => String(at + 1));
    const lines = [];
    versions.forEach((version, place) => {
      const own = rows.filter((row) => `${row.model}/${row.version}` === version);
      const read = (of) => labels.map((_, at) => of(own.find((row) => row.step === at + 1) ?? {}) ?? null);
      const points = last < 3;
      lines.push({ label: version, values: read((row) => row.mase), colour: COLOURS[place], points });
      if (own.some((row) => row.backtest?.mase !== null && row.backtest?.mase !== undefined)) lines.push({ label: `${version} in its backtest`, values: read((row) => row.backtest?.mase), colour: COLOURS[place], dash: [5, 5], width: 1.3, points });
      if (!place) lines.push({ label: "seasonal naive", values: read((row) => row.naive_mase), colour: "--history", dash: [2, 4], points });
    });
    fill(this.stepsLegend, legend(lines));
    this.steps.draw({ title: "MASE by step ahead", labels, dated: false, lines, bands: [] });
  }

  async listSeries(model) {
    const answer = await ask(`accuracy${query({ model, by: "series", limit: 1000 })}`);
    const ids = [...new Set(answer.rows.map((row) => row.series))];
    const chosen = this.series.value;
    fill(this.series, ids.map((id) => el("option", { value: id }, id)));
    if (ids.includes(chosen)) this.series.value = chosen;
    await this.compare();
  }

  async compare() {
    const wanted = this.series.value;
    this.scored = [];
    try {
      if (wanted) this.scored = (await ask(`accuracy${query({ model: this.model.value, series: wanted, forecasts: MOST_FORECASTS })}`)).forecasts;
    } catch (error) {
      fill(this.cameLegend, failure(error));
      return;
    }
    if (wanted !== this.series.value) return;
    fill(this.which, this.scored.map((one, place) => el("option", { value: place }, `${one.timestamps[0]}, ${one.model}/${one.version}`)));
    this.draw();
  }

  draw() {
    const one = this.scored[Number(this.which.value) || 0];
    if (!one) {
      this.came.clear("Scored forecasts of a series appear here.");
      fill(this.cameLegend);
      return;
    }
    const labels = [...new Set([...one.observed.timestamps, ...one.timestamps])].sort();
    const spread = (stamps, values) => {
      const known = new Map(stamps.map((stamp, at) => [stamp, values[at]]));
      return labels.map((stamp) => known.get(stamp) ?? null);
    };
    const lines = [
      { label: "observed", values: spread(one.observed.timestamps, one.observed.values), colour: "--history", width: 1.6 },
      { label: `${one.model}/${one.version}`, values: spread(one.timestamps, one.median), colour: COLOURS[0], points: one.median.length < 3 },
    ];
    const bands = one.lower ? [{ of: lines[1].label, named: true, lower: spread(one.timestamps, one.lower), upper: spread(one.timestamps, one.upper), colour: COLOURS[0], alpha: 0.18 }] : [];
    fill(this.cameLegend, legend(lines), el("span", { class: "muted" }, "Median with the 80 % interval."));
    this.came.draw({ title: one.id, labels, lines, bands });
  }
}

export async function draw(panel, session) {
  const view = new AccuracyView(panel, session);
  view.steps.clear("Errors by step appear here.");
  view.came.clear("Scored forecasts of a series appear here.");
  await view.refresh();
  return view;
}
