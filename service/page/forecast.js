// Forecast: a series is pasted, dropped or picked; it is shown as the service reads it, and then forecast.

import { ask, post, query } from "./api.js";
import { Chart } from "./chart.js";
import { announce, el, failure, fill, intro } from "./dom.js";
import { describe, errors, notes, offers } from "./findings.js";
import { Intake } from "./intake.js";
import { renumber } from "./paste.js";
import { ModelPicker } from "./picker.js";
import { cardLine, draft, Results } from "./results.js";

const NOTHING_YET = "Frequency, gaps and repairs are shown here before anything is forecast.";
const LEVELS = [50, 80, 95];
const SLOW_MS = 300;

class ForecastView {
  constructor(panel, session) {
    this.session = session;
    this.found = [];
    this.place = 0;
    this.turn = 0;
    this.parts();
    fill(panel, intro("Forecast", "Paste your values, drop a file, or pick a stored series. Nothing leaves this service, and nothing is stored."), el("div", { class: "columns" }, this.side(), this.stage()));
    this.listen(panel);
    this.chart.clear("Your series appears here.");
  }

  parts() {
    this.intake = new Intake(this, this.session);
    this.understood = el("div", { id: "understood", class: "understood", "aria-live": "polite" }, el("p", { class: "muted" }, NOTHING_YET));
    this.horizon = el("input", { id: "horizon", type: "number", min: 1, max: this.session.max_horizon, value: 12, required: true });
    this.held = el("input", { id: "held", type: "checkbox" });
    this.go = el("button", { type: "button", id: "go", class: "primary", disabled: true }, "Forecast");
    this.picker = new ModelPicker(() => this.again());
    this.box = el("div", { class: "chart tall" });
    this.results = new Results(() => this.whole());
    this.which = el("select", { id: "series", "aria-label": "Series" });
    this.chart = new Chart(this.box, "Forecast chart");
    this.results.chart = this.chart;
  }

  side() {
    return el("div", { class: "side" },
      this.intake.element,
      el("div", { class: "card" }, el("h2", {}, "As the service reads it"), this.understood),
      el("div", { class: "card" },
        el("h2", {}, "What to forecast"),
        el("div", { class: "row" }, el("label", { for: "horizon" }, "Steps ahead"), this.horizon),
        this.picker.element,
        el("div", { class: "row check" }, this.held, el("label", { for: "held" }, "Hold out the newest points and compare")),
        this.go));
  }

  stage() {
    const zoom = (name, sign, act) => el("button", { type: "button", class: "quiet", "aria-label": name, title: name, onclick: act }, sign);
    return el("div", { class: "main" },
      el("div", { class: "card" },
        el("div", { class: "bar" },
          el("div", { class: "row", id: "which", hidden: true }, el("label", { for: "series" }, "Series"), this.which),
          el("div", { class: "row end" },
            zoom("Zoom in", "+", () => this.chart.scale(0.6)), zoom("Zoom out", "−", () => this.chart.scale(1 / 0.6)),
            zoom("Show the newest", "Newest", () => this.chart.zoom(this.chart.home)), zoom("Show all", "All", () => this.chart.zoom(this.chart.ends())))),
        this.box, this.results.legend, this.results.notice),
      this.results.element);
  }

  listen(panel) {
    this.intake.listen(panel);
    this.which.addEventListener("change", () => this.choose(Number(this.which.value)));
    this.go.addEventListener("click", () => this.forecast().then(() => this.reveal()));
    this.horizon.addEventListener("change", () => this.again());
    this.held.addEventListener("change", () => this.again());
  }

  async prepare() {
    await Promise.all([this.picker.load(), this.intake.listStored()]);
  }

  /** Show how the service reads an input. */
  async read(input, isDated = false) {
    this.reset(isDated);
    if (!input) return;
    const { turn } = this;
    this.input = input;
    fill(this.understood, el("p", { class: "muted" }, "The service reads it …"));
    const { parameters, added = 0, ...sent } = input;
    try {
      const answer = await ask(`validate${query({ values: "true", ...parameters })}`, { method: "POST", again: true, signal: this.stop.signal, ...sent });
      if (turn !== this.turn) return;
      if (added) for (const one of [...answer.findings, ...answer.errors]) one.detail = renumber(one.detail, added);
      this.found = answer.series;
      this.problems = answer;
      fill(this.which, this.found.map((one, place) => el("option", { value: place }, one.id)));
      document.getElementById("which").hidden = this.found.length < 2;
      if (this.found.length) this.choose(0);
      else this.refuse(null, answer);
    } catch (error) {
      if (turn !== this.turn) return;
      if (added) error.detail = renumber(error.detail, added);
      this.refuse(error);
    }
  }

  /** Forget the series that was read, and what was shown of it; an answer on its way no longer counts. */
  reset(isDated = false) {
    this.turn += 1;
    this.stop?.abort();
    this.stop = new AbortController();
    this.found = [];
    this.input = null;
    this.asked = false;
    if (!isDated) this.intake.undate(null);
    this.go.disabled = true;
    this.busy(false);
    document.getElementById("which").hidden = true;
    fill(this.understood, el("p", { class: "muted" }, NOTHING_YET));
    this.results.clear();
    this.chart.clear("Your series appears here.");
  }

  /** Read the same input again with one parameter more, as a hint names it. */
  apply(name, value) {
    if (this.input) this.read({ ...this.input, parameters: { ...this.input.parameters, [name]: value } });
  }

  /** Return buttons for the hints about a file, which alone has such parameters. */
  offers(found) {
    return this.input && this.input.type !== "application/json" ? offers(found, (name, value) => this.apply(name, value)) : null;
  }

  refuse(error, answer) {
    this.found = [];
    this.go.disabled = true;
    const found = (error ? error.errors : answer.errors) ?? [];
    fill(this.understood, error ? failure(error) : null, errors(found, found.length > 1), this.offers([error, ...found.slice(0, 5)]));
    this.results.clear();
    this.chart.clear("There is no series to show.");
  }

  choose(place) {
    this.place = place;
    const series = this.found[place];
    this.which.value = String(place);
    fill(this.understood, describe(series), notes(this.problems.findings), errors(this.problems.errors, true), this.offers([...(this.problems.errors ?? []).slice(0, 5), ...(this.problems.findings ?? [])]));
    if (series.frequency === null) this.intake.undate(this.found);
    this.go.disabled = false;
    this.picker.suit(series.frequency);
    if (!this.asked) this.horizon.value = Math.min(this.session.max_horizon, suggest(series));
    this.results.history(series, Number(this.horizon.value));
    announce(`${series.id} is read: ${series.points} points.`);
    if (this.asked) this.forecast();
  }

  /** Scroll to the chart where it is out of sight, as on a phone. */
  reveal() {
    const { top, bottom } = this.box.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) this.box.scrollIntoView({ block: "nearest" });
  }

  again() {
    if (this.asked) this.forecast();
  }

  /** Return the request that forecasts some series, without its model; held out, without the newest points. */
  request(all) {
    const horizon = Number(this.horizon.value);
    const cut = this.held.checked ? horizon : 0;
    return { series: all.map((one) => draft(one, cut)), horizon, levels: LEVELS, record: false };
  }

  /** Return the request of all series and the models, for a download. */
  whole() {
    return { request: this.request(this.found), models: this.picker.chosen(), found: this.found };
  }

  busy(isBusy) {
    this.go.textContent = isBusy ? "Forecasting …" : "Forecast";
    this.go.toggleAttribute("aria-busy", isBusy);
  }

  async forecast() {
    const series = this.found[this.place];
    const models = this.picker.chosen();
    if (!series || !this.horizon.reportValidity()) return;
    if (!models.length) {
      this.results.fail({ detail: "No model is chosen.", hint: "Choose at least one under Models." });
      return;
    }
    const turn = (this.turn += 1);
    this.asked = true;
    const slow = setTimeout(() => this.busy(true), SLOW_MS);
    const request = this.request([series]);
    const { signal } = this.stop;
    const [answers, cards] = await Promise.all([
      Promise.all(models.map((model) => post("forecast", { ...request, model }, { again: true, signal }).catch((error) => error))),
      Promise.all(models.map((model) => cardLine(model, series.frequency)))]);
    clearTimeout(slow);
    if (turn !== this.turn) return;
    this.busy(false);
    this.results.show({ series, request, models, answers, cards, held: this.held.checked });
  }
}

/** Return how many steps to forecast at first: a season, but not more than a third of the series. */
function suggest(series) {
  const season = series.season_length > 1 ? series.season_length : 12;
  return Math.max(3, Math.min(season, 48, Math.ceil(series.points / 3)));
}

export async function draw(panel, session) {
  const view = new ForecastView(panel, session);
  await view.prepare();
  return view;
}
