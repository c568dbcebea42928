// Forecast: a series is pasted, dropped or picked; it is shown as the service reads it, and then forecast.

import { ask, at, post, query } from "./api.js";
import { Chart } from "./chart.js";
import { announce, el, failure, fill, intro } from "./dom.js";
import { describe, errors, notes, offers } from "./findings.js";
import { ModelPicker } from "./picker.js";
import { fromFile, fromText } from "./paste.js";
import { cardLine, draft, Results } from "./results.js";

const WAIT_MS = 350;
const NOTHING_YET = "Frequency, gaps and repairs are shown here before anything is forecast.";
const STORED_POINTS = 100000;
const LEVELS = [50, 80, 95];
const EXAMPLE = "month\tsales\n" + [112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194]
  .map((value, month) => `${2021 + Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, "0")}\t${value}`).join("\n");
const FREQUENCIES = [["", "unknown"], ["h", "hourly"], ["D", "daily"], ["B", "business days"], ["W", "weekly"], ["M", "monthly"], ["Q", "quarterly"], ["Y", "yearly"]];

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
    this.text = el("textarea", { id: "paste", rows: 7, spellcheck: "false", placeholder: "[35, 40, 38, 29, 19]\n\nor rows from a spreadsheet:\n2024-01\t35\n2024-02\t40" });
    this.file = el("input", { type: "file", id: "file", class: "unseen", accept: ".csv,.tsv,.txt,.json,.parquet,.pq" });
    this.stored = el("select", { id: "stored" }, el("option", { value: "" }, "none"));
    this.start = el("input", { id: "start", placeholder: "2024-01", size: 10, autocomplete: "off" });
    this.frequency = el("select", { id: "frequency" }, FREQUENCIES.map(([value, name]) => el("option", { value }, name)));
    this.dates = el("div", { class: "row", hidden: true }, el("label", { for: "start" }, "First date"), this.start, el("label", { for: "frequency" }, "Step"), this.frequency);
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
    const choose = el("button", { type: "button", onclick: () => this.file.click() }, "Choose a file");
    const example = el("button", { type: "button", class: "quiet", onclick: () => this.example() }, "Try an example");
    return el("div", { class: "side" },
      el("div", { class: "card" },
        el("h2", {}, el("label", { for: "paste" }, "Your series")), this.text,
        el("label", { for: "file", class: "unseen" }, "File with series"), this.file,
        el("div", { class: "row" }, choose, example),
        el("div", { class: "row", id: "stored-row", hidden: true }, el("label", { for: "stored" }, "Stored series"), this.stored),
        this.dates),
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
    let timer = 0;
    const soon = () => {
      clearTimeout(timer);
      this.reset();
      timer = setTimeout(() => this.readText(), WAIT_MS);
    };
    this.text.addEventListener("input", () => {
      this.stored.value = "";
      soon();
    });
    for (const field of [this.start, this.frequency]) field.addEventListener("change", () => this.date());
    this.file.addEventListener("change", () => this.file.files.length && this.drop(this.file.files[0]));
    this.stored.addEventListener("change", () => (this.stored.value ? this.pick(this.stored.value) : this.read(null)));
    this.which.addEventListener("change", () => this.choose(Number(this.which.value)));
    this.go.addEventListener("click", () => this.forecast().then(() => this.reveal()));
    this.horizon.addEventListener("change", () => this.again());
    this.held.addEventListener("change", () => this.again());
    panel.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.text.classList.add("over");
    });
    panel.addEventListener("dragleave", () => this.text.classList.remove("over"));
    panel.addEventListener("drop", (event) => {
      event.preventDefault();
      this.text.classList.remove("over");
      if (event.dataTransfer.files.length) this.drop(event.dataTransfer.files[0]);
    });
  }

  async prepare() {
    await this.picker.load();
    if (!this.session.scopes.some((scope) => scope === "read" || scope === "admin")) return;
    const listed = await ask("series?limit=1000").catch(() => ({ series: [] }));
    this.stored.append(...listed.series.map((one) => el("option", { value: one.id }, one.id)));
    document.getElementById("stored-row").hidden = !listed.series.length;
  }

  example() {
    this.text.value = EXAMPLE;
    this.readText();
  }

  readText() {
    try {
      this.read(fromText(this.text.value));
    } catch (error) {
      this.refuse(error);
    }
  }

  async drop(file) {
    if (file.size > this.session.max_body_bytes) {
      this.refuse({ detail: `${file.name} has ${file.size} bytes; this service reads ${this.session.max_body_bytes}.`, hint: "Drop a smaller file, or raise ALMANAC_MAX_BODY_BYTES." });
      return;
    }
    this.text.value = "";
    this.text.placeholder = file.name;
    this.stored.value = "";
    await this.read(await fromFile(file));
    this.file.value = "";
  }

  async pick(id) {
    try {
      const known = await ask(`${at("series", id)}${query({ limit: STORED_POINTS })}`);
      const series = { id: known.id, timestamps: known.timestamps, values: known.values, frequency: known.frequency, timezone: known.timezone };
      this.text.value = "";
      await this.read({ body: JSON.stringify({ series: [series] }), type: "application/json" });
    } catch (error) {
      this.refuse(error);
    }
  }

  /** Show how the service reads an input. */
  async read(input, isDated = false) {
    this.reset(isDated);
    if (!input) return;
    const { turn } = this;
    this.input = input;
    try {
      const { parameters, ...sent } = input;
      const answer = await ask(`validate${query({ values: "true", ...parameters })}`, { method: "POST", ...sent });
      if (turn !== this.turn) return;
      this.found = answer.series;
      this.problems = answer;
      fill(this.which, this.found.map((one, place) => el("option", { value: place }, one.id)));
      document.getElementById("which").hidden = this.found.length < 2;
      if (this.found.length) this.choose(0);
      else this.refuse(null, answer);
    } catch (error) {
      if (turn === this.turn) this.refuse(error);
    }
  }

  /** Forget the series that was read, and what was shown of it; an answer on its way no longer counts. */
  reset(isDated = false) {
    this.turn += 1;
    this.found = [];
    this.input = null;
    this.asked = false;
    if (!isDated) {
      this.undated = null;
      this.dates.hidden = true;
      this.start.value = this.frequency.value = "";
    }
    this.go.disabled = true;
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

  /** Read values without dates again, with the first date and the step that a person gives; without dates until both are given. */
  date() {
    if (!this.undated) return;
    const start = this.start.value.trim();
    const given = start && this.frequency.value ? { start, frequency: this.frequency.value } : {};
    const series = this.undated.map((one) => ({ id: one.id, values: one.values, ...given }));
    this.read({ body: JSON.stringify({ series }), type: "application/json" }, true);
  }

  refuse(error, answer) {
    this.found = [];
    this.go.disabled = true;
    const found = (error ? error.errors : answer.errors) ?? [];
    fill(this.understood, error ? failure(error) : null, errors(found), this.offers([error, ...found.slice(0, 5)]));
    this.results.clear();
    this.chart.clear("There is no series to show.");
  }

  choose(place) {
    this.place = place;
    const series = this.found[place];
    this.which.value = String(place);
    fill(this.understood, describe(series), notes(this.problems.findings), errors(this.problems.errors), this.offers([...(this.problems.errors ?? []).slice(0, 5), ...(this.problems.findings ?? [])]));
    if (series.frequency === null) this.undated = this.found;
    this.dates.hidden = !this.undated;
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

  async forecast() {
    const turn = (this.turn += 1);
    const series = this.found[this.place];
    const models = this.picker.chosen();
    if (!series || !this.horizon.reportValidity()) return;
    if (!models.length) {
      this.results.fail({ detail: "No model is chosen.", hint: "Choose at least one under Models." });
      return;
    }
    this.asked = true;
    this.go.setAttribute("aria-busy", "true");
    const request = this.request([series]);
    const answers = await Promise.all(models.map((model) => post("forecast", { ...request, model }).catch((error) => error)));
    const cards = await Promise.all(models.map((model) => cardLine(model, series.frequency)));
    this.go.removeAttribute("aria-busy");
    if (turn !== this.turn) return;
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
