// Jobs: schedules and their next runs, jobs with their progress and decisions, and what a retraining would do.

import { ask, at, post } from "./api.js";
import { announce, el, facts, failure, fill, intro, moment, number, refill, table, words } from "./dom.js";

const [POLL_MS, IDLE_MS] = [3000, 15000];
const NEWEST = 30;
const OUTCOMES = { PROMOTED: ["promoted", "good"], KEPT: ["champion kept", ""], NOT_NEEDED: ["not needed", ""] };
const STATES = { FAILED: "bad", CANCELLED: "", QUEUED: "", RUNNING: "good", SUCCEEDED: "" };

const CHALLENGER = "_challenger";
const FIGURES = {
  mase: "MASE", coverage_80: "Share in the 80 % interval", forecast_ms: "Milliseconds of a forecast", difference: "Difference of MASE", lower: "At least, with this confidence",
  p_value: "p value", pairs: "Compared pairs", series: "Series", degrees: "Degrees of freedom", confidence: "Confidence", forecast_ms_allowed: "Allowed milliseconds", latency_repeats: "Times measured",
};
const SHOWN_ELSEWHERE = ["champion_version", "challenger_version", "challenger_run_id"];

class JobsView {
  constructor(panel) {
    this.panel = panel;
    this.names = el("select", { id: "dry-name" });
    this.answer = el("div", { "aria-live": "polite" });
    this.schedules = el("div");
    this.list = el("div", { class: "waiting" });
    this.rows = new Map();
    this.ask = el("div", { class: "row", hidden: true }, el("label", { for: "dry-name" }, "Model"), this.names, el("button", { type: "button", id: "dry-run", onclick: () => this.dryRun() }, "Dry run"));
    fill(panel, intro("Jobs", "When models are retrained, what runs now, and what was decided and why."),
      el("div", { class: "card" }, el("h2", {}, "Would a model be retrained now?"), this.ask, this.answer),
      el("div", { class: "card" }, el("h2", {}, "Schedules"), this.schedules),
      el("div", { class: "card" }, el("h2", {}, "Jobs"), this.list));
    this.poll();
  }

  /** Ask for news every few seconds while something runs and a person may see it. */
  poll() {
    setTimeout(async () => {
      if (!this.panel.hidden && !document.hidden) await this.news();
      this.poll();
    }, this.isRunning ? POLL_MS : IDLE_MS);
  }

  async news() {
    try {
      await Promise.all([this.listSchedules(), this.listJobs()]);
    } catch (error) {
      this.rows.clear();
      fill(this.list, failure(error));
    }
  }

  async refresh() {
    const [models, schedules] = await Promise.all([ask("models"), ask("schedules")]);
    const registered = models.models.filter((one) => one.source === "registry").map((one) => one.name);
    const names = [...new Set([...registered, ...schedules.schedules.map((one) => one.model).filter(Boolean)])];
    refill(this.names, names, () => names.map((name) => el("option", { value: name }, name)));
    this.ask.hidden = !names.length;
    if (names.length === 0) fill(this.answer, el("p", { class: "muted" }, words("No model is registered yet: `almanac train` makes the first one.")));
    await this.news();
  }

  async listSchedules() {
    const { schedules } = await ask("schedules");
    refill(this.schedules, schedules.filter((one) => !one.builtin), scheduleTable);
  }

  async listJobs() {
    const { jobs } = await ask(`jobs?limit=${NEWEST}`);
    this.isRunning = jobs.some((one) => one.state === "RUNNING" || one.state === "QUEUED");
    const rows = new Map(jobs.map((job) => [job.id, this.rows.get(job.id) ?? new JobRow()]));
    jobs.forEach((job) => rows.get(job.id).show(job));
    const isSame = this.rows.size > 0 && [...rows.keys()].join() === [...this.rows.keys()].join();
    this.rows = rows;
    if (isSame) return;
    const focused = document.activeElement;
    fill(this.list, jobs.length ? [...rows.values()].map((row) => row.element)
      : el("p", { class: "muted" }, words("There are no jobs. `almanac retrain NAME` enqueues one, and `almanac worker` runs it.")));
    if (this.list.contains(focused)) focused.focus({ preventScroll: true });
  }

  async dryRun() {
    fill(this.answer, el("p", { class: "muted" }, "The service weighs the reasons …"));
    try {
      const found = await post("jobs?dry_run=true", { name: this.names.value }, { again: true });
      const word = found.retrain ? "would be retrained" : "would not be retrained";
      fill(this.answer, el("p", {}, el("strong", {}, `${found.name}${found.version ? `, version ${found.version},` : ""} ${word} now.`)), reasons(found.reasons));
      announce(`${found.name} ${word}.`);
    } catch (error) {
      fill(this.answer, failure(error));
    }
  }
}

/** A job as a line that opens; what has not changed is not drawn again. */
class JobRow {
  constructor() {
    this.summary = el("summary");
    this.box = el("div");
    this.element = el("details", { class: "job", ontoggle: () => this.element.open && this.load() }, this.summary, this.box);
  }

  show(job) {
    const isNews = this.job?.state !== job.state;
    this.job = job;
    refill(this.summary, job, summary);
    if (isNews && job.state === "RUNNING") this.element.open = true;
    if (this.element.open && (isNews || job.state === "RUNNING")) this.load();
  }

  async load() {
    try {
      refill(this.box, await ask(at("jobs", this.job.id)), describe);
    } catch (error) {
      fill(this.box, failure(error));
    }
  }
}

function summary(job) {
  const [word, kind] = OUTCOMES[job.outcome] ?? [job.state.toLowerCase(), STATES[job.state]];
  return [el("span", { class: `tag ${kind}` }, word), el("bdi", {}, ` ${job.name ?? "–"} `),
    el("span", { class: "muted" }, `${moment(job.created_at)}, ${job.schedule ? `schedule ${job.schedule}` : "by hand"}`)];
}

function scheduleTable(found) {
  if (!found.length) return el("p", { class: "muted" }, words('There is no schedule. `almanac schedule add NAME --cron "0 3 1 * *" --config FILE` makes one.'));
  return table("Schedules", ["Schedule", "Model", "Cron", "Next run", "Last run", "When"], found.map((one) => [one.name, one.model, el("code", {}, `${one.cron} ${one.timezone}`),
    one.paused ? el("span", { class: "tag" }, "paused") : moment(one.next_at, "short"), moment(one.last_fired_at, "short"), one.if_needed ? "if there is a reason" : "always"]));
}

function reasons(found) {
  return table("Reasons to retrain", ["Reason", "State", "Value", "Threshold", "Why"], found.map((one) => [one.code.toLowerCase().replaceAll("_", " "),
    el("span", { class: `tag ${one.holds ? "bad" : ""}` }, one.known ? (one.holds ? "met" : "not met") : "unknown"), number(one.value), number(one.threshold), one.sentence]));
}

function progress(one) {
  if (!one) return null;
  const { step, text, epoch, validation_mase: error } = one;
  const parts = [step, text, epoch === undefined ? null : `epoch ${epoch}`, error === undefined || error === null ? null : `validation MASE ${number(error)}`];
  return el("p", { class: "progress" }, el("strong", {}, "Now: "), parts.filter(Boolean).join(", "));
}

function decision(found) {
  if (!found) return null;
  const word = found.retrain === false ? "Not retrained: no reason is met." : found.promote ? "Promoted." : "The champion was kept.";
  return [el("p", {}, el("strong", {}, word), ` ${found.reason ?? ""}`), evidence(found.figures ?? {}),
    found.notes?.length ? el("ul", { class: "notes" }, found.notes.map((note) => el("li", {}, note))) : null];
}

/** Return the figures of a decision: those of challenger and champion beside each other, and the others. */
function evidence(figures) {
  const own = Object.keys(figures).filter((name) => name.endsWith(CHALLENGER)).map((name) => name.slice(0, -CHALLENGER.length));
  const pairs = own.filter((name) => `${name}_champion` in figures);
  const isPaired = (name) => pairs.some((one) => name === one + CHALLENGER || name === `${one}_champion`);
  const others = Object.entries(figures).filter(([name, value]) => !isPaired(name) && !SHOWN_ELSEWHERE.includes(name) && (value === null || typeof value !== "object"));
  return [
    pairs.length ? table("Evidence", ["Evidence", "Challenger", "Champion"], pairs.map((name) => [FIGURES[name] ?? readable(name), figures[name + CHALLENGER], figures[`${name}_champion`]])) : null,
    others.length ? el("div", { class: "grid" }, [0, 1].map((side) => facts(others.slice(...(side ? [Math.ceil(others.length / 2)] : [0, Math.ceil(others.length / 2)]))
      .map(([name, value]) => [FIGURES[name] ?? readable(name), typeof value === "number" ? number(value) : String(value)])))) : null];
}

function readable(name) {
  return name.replaceAll("_", " ");
}

function run(found) {
  if (!found) return null;
  if (/^https?:\/\//.test(found.run_url ?? "")) return el("a", { href: found.run_url, rel: "noreferrer" }, `run ${found.run_id} in MLflow`);
  return el("span", {}, `run ${found.run_id}; `, el("code", {}, "almanac ui"), " shows it");
}

function describe(job) {
  return el("div", { class: "job-body" },
    progress(job.progress),
    job.error ? el("div", { class: "notice bad" }, el("strong", {}, job.error.code), ` ${job.error.detail}`) : null,
    decision(job.decision),
    job.judgement?.reasons ? reasons(job.judgement.reasons) : null,
    facts([["Job", job.id], ["Worker", job.worker], ["Started", job.started_at && moment(job.started_at)], ["Ended", job.ended_at && moment(job.ended_at)],
      ["Winner", job.winner], ["Version", job.version], ["Run", run(job.run)]]),
    job.steps.length ? table("Steps", ["Step", "State", "Seconds"], job.steps.map((one) => [one.name, one.error ? `${one.error.code}: ${one.error.detail}` : one.state.toLowerCase(), one.seconds])) : null);
}

export async function draw(panel) {
  const view = new JobsView(panel);
  await view.refresh();
  return view;
}
