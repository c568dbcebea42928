// Models: the registered names with their versions, aliases and cards, and how a version becomes champion.

import { ask, at } from "./api.js";
import { Chart } from "./chart.js";
import { el, facts, failure, fill, intro, measure, moment, number, percent, table, words } from "./dom.js";
import { frequencyName } from "./findings.js";
import { moves } from "./moves.js";

const REGISTRY = {
  absent: "Nothing is registered yet: `almanac train` makes the first model. The starter forecasts any series until then.",
  emptied: "The registry is empty now; the last known models stay in service.",
  unwritable: "The models of the registry cannot be stored on this machine.",
  stale: "There is no news of the registry; the last known models stay in service.",
  unreachable: "The registry does not answer; the last known models stay in service.",
};
const NAMES = { model: "this version", seasonal_naive: "seasonal naive" };

class ModelsView {
  constructor(panel, session) {
    this.mayMove = session.scopes.includes("admin");
    this.list = el("div", { class: "waiting" });
    fill(panel, intro("Models", "What forecasts here, what it was trained on, and whether it beats simple methods."), this.list);
  }

  /** Draw the models anew, with what was just done. */
  async refresh(done = null) {
    const answer = await ask("models");
    const { state, detail } = answer.registry;
    const said = REGISTRY[state];
    fill(this.list,
      done ? el("div", { class: "notice" }, done) : null,
      said ? el("div", { class: "notice" }, el("p", {}, words(said)), detail && state !== "absent" ? el("p", { class: "muted" }, detail) : null) : null,
      answer.models.map((one) => this.card(one, answer.default)));
  }

  card(model, preferred) {
    const isStarter = model.source === "package";
    const shown = el("div");
    const number_ = model.champion ?? model.versions.at(-1);
    const choose = el("select", { "aria-label": `Version of ${model.name}`, onchange: () => this.show(shown, model, choose.value) },
      [...model.versions].reverse().map((version) => el("option", { value: version, selected: version === number_ }, `version ${version}${named(model, version)}`)));
    const details = el("details", { ontoggle: () => details.open && !shown.firstChild && this.show(shown, model, choose.value) }, el("summary", {}, "Card"),
      isStarter ? null : el("div", { class: "row" }, choose), shown);
    return el("article", { class: "card" },
      el("div", { class: "head" }, el("h2", {}, model.name),
        preferred === model.name ? el("span", { class: "tag" }, "answers by default") : null,
        Object.entries(model.aliases).map(([alias, version]) => el("span", { class: `tag ${alias === "champion" ? "good" : ""}` }, `${alias}: version ${version}`)),
        isStarter ? el("span", { class: "tag" }, "part of Almanac") : null),
      el("p", { class: "muted" }, summary(model, isStarter)),
      details,
      isStarter || !this.mayMove || !model.versions.length ? null : moves(model, (done) => this.refresh(done)));
  }

  async show(box, model, version) {
    try {
      const name = model.source === "package" ? model.name : `${model.name}/${version}`;
      const card = await ask(at("models", name));
      fill(box, describe(card, version));
      memory(box, card.spec);
    } catch (error) {
      fill(box, failure(error));
    }
  }
}

function named(model, version) {
  const aliases = Object.entries(model.aliases).filter(([, number_]) => number_ === version).map(([alias]) => alias);
  return aliases.length ? ` (${aliases.join(", ")})` : "";
}

function summary(model, isStarter) {
  const steps = model.frequencies.map(frequencyName).join(", ");
  if (isStarter) return `Pretrained on synthetic series. It has networks for series that are ${steps}, and forecasts any other step, too.`;
  return `${model.versions.length === 1 ? "1 version" : `${model.versions.length} versions`}${steps ? `, for ${steps} series` : ""}.`;
}

function describe(card, version) {
  const { spec } = card;
  const registered = card.versions.find((one) => one.version === version);
  const options = spec.options ?? {};
  const covariates = [...spec.past_covariates, ...spec.future_covariates];
  return [
    registered?.error ? el("div", { class: "notice bad" }, words(registered.error)) : null,
    verdict(spec),
    el("div", { class: "grid" },
      facts([
        ["Trained on", spec.series_count ? `${number(spec.series_count)} series, ${number(spec.observation_count)} values` : null],
        ["From", date(spec.trained_from)], ["To", date(spec.trained_to)],
        ["Made", moment(spec.created)],
        ["Run", spec.run_id]]),
      facts([
        ["Network", architecture(spec, options)],
        ["Frequency", frequencyName(spec.frequency)],
        ["Season", spec.season_length > 1 ? `${spec.season_length} steps` : "none"],
        ["Reads", `${number(spec.context_length)} steps`],
        ["Horizon", `${number(spec.horizon)} steps`],
        ["Transform", spec.transform === "none" ? null : spec.transform],
        ["Covariates", covariates.join(", ")],
        ["Holidays", spec.holidays.join(", ")]])),
    backtest(spec.backtest),
  ];
}

/** Return a timestamp without a time of midnight. */
function date(text) {
  return text?.replace(/T00:00:00(\.0+)?$/, "");
}

function architecture(spec, options) {
  if (options.members?.length) return `ensemble of ${options.members.map((one) => `${one.name} (${percent(one.weight)})`).join(", ")}`;
  const size = options.units ? `, ${options.layers ? `${options.layers} × ` : ""}${options.units} units` : "";
  return `${spec.architecture}${size}`;
}

function verdict(spec) {
  if (spec.beats_baselines === null || spec.beats_baselines === undefined) return null;
  return el("p", {}, el("span", { class: `tag ${spec.beats_baselines ? "good" : "bad"}` },
    spec.beats_baselines ? "beats every baseline in its backtest" : "does not beat every baseline in its backtest"));
}

function backtest(figures) {
  const rows = Object.entries(figures ?? {}).filter(([, one]) => one && typeof one === "object" && "mase" in one);
  if (!rows.length) return el("p", { class: "muted" }, "It has no backtest.");
  return table("Backtest", ["Backtest", "MASE", "sMAPE", "In the 80 % interval"],
    rows.map(([name, one]) => [NAMES[name] ?? name.replaceAll("_", " "), measure(one.mase), one.smape === undefined ? "–" : `${one.smape.toFixed(1)} %`, percent(one.coverage_80)]));
}

/** Draw how much each lag counts in the forecasts. */
function memory(box, spec) {
  if (spec.memory.length < 2) return;
  const shown = Math.min(spec.memory.length, Math.max(2 * spec.season_length, 24));
  const stage = el("div", { class: "chart short" });
  box.append(el("h3", {}, "Memory: how much each earlier step counts"), stage);
  const labels = Array.from({ length: shown }, (_, lag) => String(lag + 1));
  new Chart(stage, "Memory by lag").draw({ title: "Memory by lag", labels, dated: false, bands: [], lines: [{ label: "share", values: spec.memory.slice(0, shown), colour: "--one" }] });
}

export async function draw(panel, session) {
  const view = new ModelsView(panel, session);
  await view.refresh();
  return view;
}
