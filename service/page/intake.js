// Intake: what a person pastes, drops or picks, and the first date of values that have none.

import { ask, at, query } from "./api.js";
import { el, fill } from "./dom.js";
import { fromFile, fromText } from "./paste.js";

const WAIT_MS = 350;
const LONG_TEXT = 500000;
const STORED_POINTS = 100000;
const JSON_TYPE = "application/json";
const EXAMPLE = "month\tsales\n" + [112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194]
  .map((value, month) => `${2021 + Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, "0")}\t${value}`).join("\n");
const FREQUENCIES = [["", "unknown"], ["h", "hourly"], ["D", "daily"], ["B", "business days"], ["W", "weekly"], ["M", "monthly"], ["Q", "quarterly"], ["Y", "yearly"]];

export class Intake {
  /** `view` has reset(isDated), read(input, isDated) and refuse(error). */
  constructor(view, session) {
    this.view = view;
    this.session = session;
    this.timer = 0;
    this.text = el("textarea", { id: "paste", rows: 7, spellcheck: "false", placeholder: "[35, 40, 38, 29, 19]\n\nor rows from a spreadsheet:\n2024-01\t35\n2024-02\t40", oninput: () => this.edit(), onpaste: (event) => this.paste(event) });
    this.file = el("input", { type: "file", id: "file", hidden: true, accept: ".csv,.tsv,.txt,.json,.jsonl,.ndjson,.parquet,.pq", onchange: () => this.drop([...this.file.files]) });
    this.stored = el("select", { id: "stored", onchange: () => (this.stored.value ? this.pick(this.stored.value) : view.read(null)) }, el("option", { value: "" }, "none"));
    this.storedRow = el("div", { class: "row", hidden: true }, el("label", { for: "stored" }, "Stored series"), this.stored);
    this.start = el("input", { id: "start", placeholder: "2024-01", size: 10, autocomplete: "off", oninput: () => this.soon(() => this.date()) });
    this.frequency = el("select", { id: "frequency", onchange: () => this.date() }, FREQUENCIES.map(([value, name]) => el("option", { value }, name)));
    this.lacking = el("p", { class: "muted", "aria-live": "polite" });
    this.dates = el("div", { hidden: true }, el("div", { class: "row dates" }, el("label", { for: "start" }, "First date"), this.start, el("label", { for: "frequency" }, "Step"), this.frequency), this.lacking);
    this.element = el("div", { class: "card" },
      el("h2", {}, el("label", { for: "paste" }, "Your series")), this.text,
      this.file,
      el("div", { class: "row" },
        el("button", { type: "button", onclick: () => this.file.click() }, "Choose a file"),
        el("button", { type: "button", class: "quiet", onclick: () => this.example() }, "Try an example")),
      this.storedRow, this.dates);
  }

  /** Take what is dropped on a box: a file, or text that is dragged from elsewhere. */
  listen(box) {
    const mark = (isOver) => this.text.classList.toggle("over", isOver);
    box.addEventListener("dragover", () => mark(true));
    box.addEventListener("dragleave", () => mark(false));
    box.addEventListener("drop", (event) => {
      mark(false);
      const { files } = event.dataTransfer;
      if (files.length) this.drop([...files]);
      else this.write(event.dataTransfer.getData("text/plain"));
    });
  }

  async listStored() {
    if (!this.session.scopes.some((scope) => scope === "read" || scope === "admin")) return;
    const listed = await ask("series?limit=1000").catch(() => ({ series: [] }));
    this.stored.append(...listed.series.map((one) => el("option", { value: one.id }, one.id)));
    this.storedRow.hidden = !listed.series.length;
  }

  soon(act) {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, WAIT_MS);
  }

  edit() {
    this.stored.value = "";
    this.view.reset();
    this.soon(() => this.readText());
  }

  write(text) {
    this.text.value = text;
    this.stored.value = "";
    this.readText();
  }

  example() {
    this.write(EXAMPLE);
  }

  /** Keep a long text out of the box, which would take many seconds to show it. */
  paste(event) {
    const text = event.clipboardData.getData("text/plain");
    if (text.length < LONG_TEXT) return;
    event.preventDefault();
    this.text.value = this.stored.value = "";
    this.text.placeholder = `Pasted: ${megabytes(text.length)}, not shown.`;
    this.view.reset();
    this.soon(() => this.readText(text));
  }

  readText(text = this.text.value) {
    clearTimeout(this.timer);
    try {
      this.limit("The text", text.length);
      this.view.read(fromText(text));
    } catch (error) {
      this.refuse(error);
    }
  }

  refuse(error) {
    this.view.reset();
    this.view.refuse(error);
  }

  async drop(files) {
    if (!files.length) return;
    try {
      if (files.length > 1) throw refusal(`${files.length} files were dropped: ${files.map((one) => one.name).join(", ")}.`, "Drop one; several series can be in one file, with a column of ids.");
      const [file] = files;
      this.limit(file.name, file.size);
      const input = await fromFile(file).catch((error) => { throw error.detail ? error : refusal(`${file.name} cannot be read.`, "Drop a file, not a folder."); });
      this.text.value = "";
      this.text.placeholder = file.name;
      this.stored.value = "";
      await this.view.read(input);
    } catch (error) {
      this.refuse(error);
    } finally {
      this.file.value = "";
    }
  }

  /** Raise what refuses an input of more bytes than the service reads. */
  limit(name, bytes) {
    const most = this.session.max_body_bytes;
    if (bytes > most) throw refusal(`${name} has ${megabytes(bytes)}; this service reads up to ${megabytes(most)}.`, "Give less, or start the service with a larger `ALMANAC_MAX_BODY_BYTES`.");
  }

  async pick(id) {
    try {
      const known = await ask(`${at("series", id)}${query({ limit: STORED_POINTS })}`);
      const series = { id: known.id, timestamps: known.timestamps, values: known.values, frequency: known.frequency, timezone: known.timezone };
      this.text.value = "";
      await this.view.read({ body: JSON.stringify({ series: [series] }), type: JSON_TYPE });
    } catch (error) {
      this.refuse(error);
    }
  }

  /** Ask for a first date of these series, which have none; null asks no more. */
  undate(series) {
    this.undated = series;
    this.dates.hidden = !series;
    if (!series) this.start.value = this.frequency.value = "";
    this.lack();
  }

  /** Say which of date and step is not given yet. */
  lack() {
    const [start, step] = [this.start.value.trim(), this.frequency.value];
    fill(this.lacking, start && !step ? "Choose the step, too." : step && !start ? "Give the first date, too." : null);
  }

  /** Read values without dates again, with the first date and the step that a person gives; without dates until both are given. */
  date() {
    if (!this.undated) return;
    const start = this.start.value.trim();
    const given = start && this.frequency.value ? { start, frequency: this.frequency.value } : {};
    const series = this.undated.map((one) => ({ id: one.id, values: one.values, ...given }));
    this.lack();
    this.view.read({ body: JSON.stringify({ series }), type: JSON_TYPE }, true);
  }
}

function refusal(detail, hint) {
  return { detail, hint };
}

function megabytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}
