// Jobs: schedules and their next runs, jobs with their progress and decisions, and what a retraining would do.

import { ask, at, post } from "./api.js";
import { announce, el, facts, failure, fill, intro, moment, number, table } from "./dom.js";

const POLL_MS = 5000;
const NEWEST = 30;
const OUTCOMES = { PROMOTED: ["promoted", "good"], KEPT: ["champion kept", ""], NOT_NEEDED: ["not needed", ""] };
const STATES = { FAILED: "bad", CANCELLED: "", QUEUED: "", RUNNING: "good", SUCCEEDED: "" };

class JobsView {
  constructor(panel) {
    this.panel = panel;
    this.names = el("select", { id: "dry-name" });
    this.answer = el("div", { "aria-live": "polite" });
    this.schedules = el("div");
    this.list = el("div", { class: "waiting" });
    this.details = new Map();
    const go = el("button", { type: "button", id: "dry-run", disabled: true, onclick: () => this.dryRun() }, "Dry run");
    fill(panel, intro("Jobs", "When models are retrained, what runs now, and what was decided and why."),
      el("div", { class: "card" }, el("h2", {}, "Would a model be retrained now?"),
        el("div", { class: "row" }, el("label", { for: "dry-name" }, "Model"), this.names, go), this.answer),
      el("div", { class: "card" }, el("h2", {}, "Schedules"), this.schedules),
      el("div", { class: "card" }, el("h2", {}, "Jobs"), this.list));
    setInterval(() => !panel.hidden && !document.hidden && this.isRunning && this.listJobs(), POLL_MS);
  }

  async refresh() {
    const [models, schedules] = await Promise.all([ask("models"), ask("schedules")]);
    const registered = models.models.filter((one) => one.source === "registry").map((one) => one.name);
    const names = [...new Set([...registered, ...schedules.schedules.map((one) => one.model).filter(Boolean)])];
    fill(this.names, names.map((name) => el("option", { value: name }, name)));
    document.getElementById("dry-run").disabled = !names.length;
    if (!names.length) fill(this.answer, el("p", { class: "muted" }, "No model is registered yet: `almanac train` makes the first one."));
    fill(this.schedules, this.scheduleTable(schedules.schedules));
    await this.listJobs();
  }

  scheduleTable(found) {
    const own = found.filter((one) => !one.builtin);
    if (!own.length) return el("p", { class: "muted" }, "There is no schedule. ", el("code", {}, 'almanac schedule add NAME --cron "0 3 1 * *" --config FILE'), " makes one.");
    return table("Schedules", ["Schedule", "Model", "Cron", "Next run", "Last run", "When"], own.map((one) => [one.name, one.model, el("code", {}, `${one.cron} ${one.timezone}`),
      one.paused ? el("span", { class: "tag" }, "paused") : moment(one.next_at), moment(one.last_fired_at), one.if_needed ? "if there is a reason" : "always"]));
  }

  async listJobs() {
    try {
      const { jobs } = await ask(`jobs?limit=${NEWEST}`);
      this.isRunning = jobs.some((one) => one.state === "RUNNING" || one.state === "QUEUED");
      if (!jobs.length) {
        fill(this.list, el("p", { class: "muted" }, "There are no jobs. ", el("code", {}, "almanac retrain NAME"), " enqueues one, and ", el("code", {}, "almanac worker"), " runs it."));
        return;
      }
      const open = new Set([...this.list.querySelectorAll("details[open]")].map((one) => one.dataset.id));
      fill(this.list, jobs.map((one) => this.job(one, open)));
    } catch (error) {
      fill(this.list, failure(error));
    }
  }

  job(job, open) {
    const box = el("div", {}, this.details.get(job.id) ?? null);
    const [word, kind] = OUTCOMES[job.outcome] ?? [job.state.toLowerCase(), STATES[job.state]];
    const load = () => this.show(box, job.id);
    const made = el("details", { class: "job", "data-id": job.id, ontoggle: () => made.open && load() },
      el("summary", {}, el("span", { class: `tag ${kind}` }, word), ` ${job.name ?? "–"} `, el("span", { class: "muted" }, `${moment(job.created_at)}, ${job.schedule ? `schedule ${job.schedule}` : "by hand"}`)), box);
    if (open.has(job.id) || job.state === "RUNNING") made.open = true;
    return made;
  }

  async show(box, id) {
    try {
      const made = describe(await ask(at("jobs", id)));
      this.details.set(id, made);
      fill(box, made);
    } catch (error) {
      fill(box, failure(error));
    }
  }

  async dryRun() {
    try {
      const found = await post("jobs?dry_run=true", { name: this.names.value });
      const word = found.retrain ? "would be retrained" : "would not be retrained";
      fill(this.answer, el("p", {}, el("strong", {}, `${found.name}${found.version ? `, version ${found.version},` : ""} ${word} now.`)), reasons(found.reasons));
      announce(`${found.name} ${word}.`);
    } catch (error) {
      fill(this.answer, failure(error));
    }
  }
}

function reasons(found) {
  return table("Reasons to retrain", ["Reason", "", "Value", "Threshold", "Why"], found.map((one) => [one.code.toLowerCase().replaceAll("_", " "),
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
  const figures = Object.entries(found.figures ?? {}).filter(([, value]) => value === null || typeof value !== "object");
  return [el("p", {}, el("strong", {}, word), ` ${found.reason ?? ""}`),
    figures.length ? facts(figures.map(([name, value]) => [name.replaceAll("_", " "), typeof value === "number" ? number(value) : String(value)])) : null,
    found.notes?.length ? el("ul", { class: "notes" }, found.notes.map((note) => el("li", {}, note))) : null];
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
